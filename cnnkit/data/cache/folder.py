"""Nothing enters; the cache folder leaves, and ways to make folders that appear whole, and room."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cnnkit.errors import DataError, UsageError
from cnnkit.locks import held, is_held
from cnnkit.text import size_text

PARTIAL = ".partial-"
GIGABYTE = 1_000_000_000
_STILL_SECONDS = 600
_BEGINNING_SECONDS = 1  # between making a folder and holding it


def cache_folder() -> Path:
    """Return the cache folder, which may not exist yet: $CNNKIT_CACHE or the platform's place.

    Raises:
        UsageError: it would be in a home folder that there is not.
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
    """Give a temporary folder to fill; on success it gets its final name in one step.

    An error or a kill leaves no folder with the final name. Where another process was first, its
    folder stays and ours is thrown away.

    Raises:
        DataError: the cache folder cannot be written, or its disk is full.
    """
    with unfinished_folder(final.parent) as temporary:
        yield temporary
        finish_folder(temporary, final)


@contextlib.contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """Give a temporary folder that is removed at the end, unless `finish_folder` renamed it.

    Raises:
        DataError: the cache folder cannot be written, or its disk is full.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(parent)
        temporary = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=parent))
    except OSError as error:
        raise _not_writable(parent, error) from error
    try:
        with held(temporary):
            yield temporary
    except OSError as error:
        raise _not_writable(parent, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def finish_folder(temporary: Path, final: Path) -> None:
    """Give a folder its final name; the one that is there stays where another was first."""
    temporary.chmod(0o755)
    try:
        temporary.rename(final)
    except OSError:
        if not final.is_dir():
            raise


def remove_folder(folder: Path) -> None:
    """Remove a cached folder so that no other process sees half of it."""
    aside = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder.parent))
    try:
        with contextlib.suppress(FileNotFoundError):
            folder.rename(aside / "removed")
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def is_being_made(partial: Path) -> bool:
    """Tell whether a process that lives fills a temporary folder.

    Where the system cannot tell, one counts as alive that wrote something in the last ten minutes:
    it writes all the time. One that is gone is not being made.
    """
    try:
        is_alive = is_held(partial)
        if is_alive is None:
            return time.time() - Extent(partial).last_change < _STILL_SECONDS
        return is_alive or time.time() - partial.stat().st_mtime < _BEGINNING_SECONDS
    except FileNotFoundError:
        return False


class Extent:
    """Number, size and last change of the files in a folder; links in it count as nothing.

    Files that go away meanwhile are not counted.

    Raises:
        FileNotFoundError: the folder itself is gone.
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
    """Remove what killed processes left."""
    for partial in parent.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if not is_being_made(partial):
                shutil.rmtree(partial, ignore_errors=True)


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
    """Remove the folders that were not used for longest until all have room.

    Args:
        folders: of one kind, beside each other.
        limit_gb: room for all of them together.
        keep: this one stays, whatever its size.
        note: called with one sentence where some were removed.
        last_used: gives the time of a folder's last use.
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
            f"Removed from {keep.parent} what was not used for longest, to stay within "
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
