"""Nothing enters; the cache folder leaves, and a way to make folders that appear whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cnnkit.errors import DataError

_PARTIAL = ".partial-"
_LEFTOVER_AGE_SECONDS = 24 * 3600


def cache_folder() -> Path:
    """Return the cache folder, which may not exist yet: $CNNKIT_CACHE or the platform's place."""
    named = os.environ.get("CNNKIT_CACHE")
    if named:
        return Path(named).expanduser().absolute()
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
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(final.parent)
        temporary = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=final.parent))
    except OSError as error:
        raise _not_writable(final, error) from error
    try:
        yield temporary
        _rename(temporary, final)
    except OSError as error:
        raise _not_writable(final, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a cached folder so that no other process sees half of it."""
    aside = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder.parent))
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside / "removed")
    shutil.rmtree(aside, ignore_errors=True)


def _rename(temporary: Path, final: Path) -> None:
    temporary.chmod(0o755)
    try:
        temporary.rename(final)
    except OSError:
        if not final.is_dir():
            raise


def _remove_leftovers(parent: Path) -> None:
    """Remove what killed processes left, once nothing in it changed for a day."""
    oldest_allowed = time.time() - _LEFTOVER_AGE_SECONDS
    for partial in parent.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            changes = [path.stat().st_mtime for path in (partial, *partial.iterdir())]
            if max(changes) < oldest_allowed:
                shutil.rmtree(partial, ignore_errors=True)


def _not_writable(final: Path, error: OSError) -> DataError:
    return DataError(
        f"The cache folder {final.parent} cannot be written: {error.strerror or error}. "
        "Set the environment variable CNNKIT_CACHE to a folder with room that you may write to."
    )
