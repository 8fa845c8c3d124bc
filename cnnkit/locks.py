"""The path of a lock enters; code runs in one process at a time, or shows that it still runs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_LOOK_AGAIN_SECONDS = 0.2


@contextlib.contextmanager
def only_one_process(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process is inside, then run the block.

    The operating system frees the lock when its process ends, however that is. The file stays: to
    remove it would let two processes in, one with the old file and one with a new one.

    Args:
        lock: a file of no content, in a folder that exists; made where it is missing.
        waiting: called once where another process is inside.
    """
    with lock.open("a+b") as file:
        if not _taken(file.fileno()):
            waiting()
            while not _taken(file.fileno()):
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield


@contextlib.contextmanager
def held(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder while a block runs, so that `is_held` tells that its maker lives.

    Where folders cannot be locked, as on Windows, nothing is held.

    Args:
        folder: that exists.
        wait: until no other process holds it; `is_held` itself does so for a moment.

    Raises:
        BlockingIOError: another process holds it, and we do not wait.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.callback(os.close, _locked(folder, wait=wait))
        except BlockingIOError:
            raise
        except OSError:
            pass
        yield


def is_held(folder: Path) -> bool | None:
    """Tell whether a process that lives holds a folder; None where that cannot be told."""
    try:
        # Not a shared lock: NFS can give that where it cannot give the exclusive one of `held`.
        os.close(_locked(folder, wait=False))
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _locked(folder: Path, *, wait: bool) -> int:
    """Return the descriptor that holds a folder until it is closed.

    Raises:
        BlockingIOError: another one holds it, and we do not wait.
        OSError: folders cannot be locked here.
    """
    if os.name == "nt":
        raise OSError("folders cannot be opened")
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:  # Ctrl-C while we wait
        os.close(descriptor)
        raise
    return descriptor


def _taken(descriptor: int) -> bool:
    """Take the lock if it is free."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
