"""Locks between processes; the system frees a lock when its process ends, however it ends.

`filelock` does the locking. This adds what it lacks: lock files that are removed after use, a
sentence for the user before a long wait, and a look at a lock that another process holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock

# Another process that calls `is_held` has the lock for a moment; that is not worth an error.
_LOOKING_SECONDS = 1.0


@contextlib.contextmanager
def only_one_process(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process is inside, then run the block.

    Args:
        lock: an empty file in a folder that exists; it is created if it is missing, and stays.
        waiting: called once if another process is inside.

    Raises:
        OSError: the lock file cannot be written.
    """
    file_lock = FileLock(lock)
    try:
        file_lock.acquire(timeout=0)
    except TimeoutError:
        waiting()
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


@contextlib.contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock while the block runs, so that `is_held` is true; then remove its file.

    If the file cannot be written, or its file system has no locks, nothing is held.

    Args:
        lock: an empty file in a folder that exists; it is created.

    Raises:
        TimeoutError: another process holds the lock.
    """
    file_lock = FileLock(lock)
    try:
        file_lock.acquire(timeout=_LOOKING_SECONDS)
    except TimeoutError:  # an OSError too, but not that of a file system without locks
        raise
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no file that is open
            lock.unlink()
        file_lock.release()


def is_held(lock: Path) -> bool | None:
    """Return whether a living process holds a lock; None if that cannot be found out."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock).acquire(timeout=0):
            return False
    except TimeoutError:
        return True
    except (OSError, NotImplementedError):
        return None
