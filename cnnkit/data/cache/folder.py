"""Find the cache folder, create folders in it in one step, and remove old ones to make room."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cnnkit.errors import DataError, UsageError
from cnnkit.locks import held, is_held
from cnnkit.text import size_text

PARTIAL = ".partial-"
NETWORKS_FOLDER = "networks"  # networks with their classifier, made by `cnnkit.foreign`
GIGABYTE = 1_000_000_000
# On file systems without locks: what was last written longer ago was left by a process that ended.
STILL_SECONDS = 600
_LOCK = ".lock"


def cache_folder() -> Path:
    """Return the cache folder, which may not exist yet: $CNNKIT_CACHE or the system's usual place.

    Raises:
        UsageError: it would be in a home folder that does not exist.
    """
    named = os.environ.get("CNNKIT_CACHE")
    try:
        return Path(named).expanduser().absolute() if named else _platform_folder()
    except RuntimeError:
        where = f"CNNKIT_CACHE={named}" if named else "The cache folder"
        raise UsageError(
            f"{where}: there is no such home folder. Set the environment variable CNNKIT_CACHE to "
            "the path of a folder that you may write to."
        ) from None


def _platform_folder() -> Path:
    if sys.platform == "win32":
        parent = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        parent = str(Path.home() / "Library" / "Caches")
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(parent) / "cnnkit"


@contextlib.contextmanager
def folder_made_whole(final: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; at the end it gets its final name in one step.

    After an error or a kill there is no folder with the final name. If another process was first,
    its folder stays and ours is removed.

    Raises:
        DataError: the cache folder cannot be written, or its disk is full.
    """
    with unfinished_folder(final.parent) as temporary:
        yield temporary
        finish_folder(temporary, final)


@contextlib.contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """Yield a temporary folder that is removed at the end, unless `finish_folder` renamed it.

    Raises:
        DataError: the cache folder cannot be written, or its disk is full.
    """
    temporary = parent / _partial_name()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(parent)
        # The lock comes first: a folder without one was left by a process that has ended.
        with held(lock_of(temporary)):
            try:
                temporary.mkdir(mode=0o700)
                yield temporary
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise _not_writable(parent, error) from error


def finish_folder(temporary: Path, final: Path) -> None:
    """Give a folder its final name; if another process made that folder first, it stays."""
    # It is complete, so other users of a shared cache may read it now.
    temporary.chmod(0o755)
    try:
        temporary.rename(final)
    except OSError:
        # No system renames a folder to the name of one that has files, so the first one stays.
        if not final.is_dir():
            raise


def remove_folder(folder: Path) -> None:
    """Remove a cached folder so that no other process sees half of it."""
    aside = folder.with_name(_partial_name())
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    lock_of(folder).unlink(missing_ok=True)  # a killed process leaves it


def is_being_made(partial: Path) -> bool:
    """Return whether a living process fills a temporary folder.

    If the file system has no locks, the folder counts as being made if something in it was written
    in the last ten minutes: a living process writes all the time.
    """
    try:
        is_alive = is_held(lock_of(partial))
        if is_alive is None:
            return time.time() - Extent(partial).last_change < STILL_SECONDS
        return is_alive
    except FileNotFoundError:
        return False


def _partial_name() -> str:
    return f"{PARTIAL}{secrets.token_hex(8)}"


def lock_of(partial: Path) -> Path:
    """Return the lock file next to a temporary folder: inside, it would be renamed with it."""
    return partial.with_name(f"{partial.name}{_LOCK}")


class Extent:
    """Number, size and last change of the files in a folder.

    Links are not counted, nor are files that disappear while they are counted.

    Raises:
        FileNotFoundError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self.num_files = self.num_bytes = 0
        self.last_change = folder.stat().st_mtime
        for above, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    self._count(os.lstat(os.path.join(above, name)))

    def _count(self, facts: os.stat_result) -> None:
        if not stat.S_ISLNK(facts.st_mode):
            self.num_files += 1
            self.num_bytes += facts.st_size
            self.last_change = max(self.last_change, facts.st_mtime)


def _remove_leftovers(parent: Path) -> None:
    """Remove the temporary folders and locks of processes that were killed."""
    for name in {path.name.removesuffix(_LOCK) for path in parent.glob(f"{PARTIAL}*")}:
        partial = parent / name
        if not is_being_made(partial):
            shutil.rmtree(partial, ignore_errors=True)
            with contextlib.suppress(OSError):
                lock_of(partial).unlink()


def _not_writable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"The cache folder {folder} cannot be written: {error.strerror or error}. "
        "Set the environment variable CNNKIT_CACHE to a folder with room that you may write to."
    )


def remove_unused(
    folders: Sequence[Path],
    limit_gb: float,
    keep: Path,
    note: Callable[[str], None],
    last_used: Callable[[Path], float],
) -> None:
    """Remove the least recently used folders until the rest is within a limit.

    Args:
        folders: of one kind, in the same folder.
        limit_gb: for all of them together.
        keep: is never removed, even if it alone is above the limit.
        note: called with one sentence if some were removed.
        last_used: returns the time of a folder's last use.
    """
    sizes = {folder: _bytes(folder) for folder in folders}
    total = sum(sizes.values())
    removed = []
    for folder in sorted(sizes.keys() - {keep}, key=lambda folder: _time(folder, last_used)):
        if total <= limit_gb * GIGABYTE:
            break
        try:
            remove_folder(folder)
        except OSError:  # another process has it open, on Windows
            continue
        total -= sizes[folder]
        removed.append(f"{folder.name} ({size_text(sizes[folder])})")
    if removed:
        note(
            f"Removed the least recently used from {keep.parent}, to stay within "
            f"data.cache_limit_gb: {limit_gb:g}: {', '.join(removed)}."
        )


def _bytes(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except OSError:  # another process removes it
        return 0


def _time(folder: Path, last_used: Callable[[Path], float]) -> float:
    try:
        return last_used(folder)
    except OSError:
        return 0.0
