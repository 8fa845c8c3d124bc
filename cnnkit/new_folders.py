"""Create folders that do not exist yet, or say early that nothing can be written there."""

from __future__ import annotations

import os
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.text import shown


def check_writable(folder: Path, instead: str) -> None:
    """Refuse a folder in which nothing can be written, without creating anything.

    Args:
        folder: it need not exist; then the nearest folder around it counts.
        instead: the sentence that says what to do.

    Raises:
        UsageError: a file is in the way, or writing is not allowed.
    """
    around = folder.absolute().parents
    existing = next(each for each in (folder, *around) if os.path.lexists(each))
    name = shown(str(existing))
    if not existing.is_dir():
        raise UsageError(f"{name} is a file, not a folder. {instead}")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(f"Nothing can be written into {name}. {instead}")


def make_numbered_folder(folder: Path) -> Path:
    """Create a folder, and return it; if it exists, create `name-2`, `name-3`, ... instead.

    Raises:
        OSError: the folder cannot be created.
    """
    number, wanted = 1, folder
    while True:
        try:
            wanted.mkdir(parents=True)
            return wanted
        except FileExistsError:
            if not wanted.exists():  # a file is where its parent should be
                raise
            number += 1
            wanted = folder.with_name(f"{folder.name}-{number}")
