"""Create a run folder, or say why its name or its place cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.new_folders import check_writable, make_numbered_folder
from cnnkit.runs.run_folder import Run
from cnnkit.utf8_paths import is_utf8

# What no system refuses in a name. Bytes that are not UTF-8 are \udc80 to \udcff in Python.
_FOLDER_NAME = r"[^\\/:*?\"<>|\x00-\x1f\ud800-\udfff]+"
_NAME_BYTES = 200  # file systems allow 255, and temporary files next to it have longer names


def create_run(name: str, runs_folder: Path) -> Run:
    """Create a new run folder: `name`, or `name-2`, `name-3`, ... if that exists.

    Raises:
        UsageError: the name is not a folder name, or the folder cannot be created.
    """
    check_new_run(name, runs_folder)
    try:
        folder = make_numbered_folder(runs_folder / name)
    except OSError as error:
        raise UsageError(
            f"{runs_folder / name} cannot be created: {error.strerror}. Give another --runs-folder."
        ) from error
    (folder / "weights").mkdir()
    (folder / "plots").mkdir()
    return Run(folder)


def check_new_run(name: str, runs_folder: Path) -> None:
    """Refuse what cannot become a run folder, without creating anything.

    Raises:
        UsageError: the name is not a folder name, or nothing can be written in the runs folder.
    """
    check_folder_name(name)
    if not is_utf8(runs_folder):
        raise UsageError(
            f"{runs_folder}: TensorFlow cannot write into this folder, because its name is not "
            "UTF-8. Rename it, or give another --runs-folder."
        )
    check_writable(runs_folder, "Give another --runs-folder.")


def check_folder_name(name: str) -> None:
    """Refuse a name that cannot be the name of a folder on every system.

    Raises:
        UsageError: the name is empty or too long, is a path, or has characters that some systems
            or TensorFlow refuse.
    """
    if re.fullmatch(_FOLDER_NAME, name) and name.strip(".") and len(name.encode()) <= _NAME_BYTES:
        return
    raise UsageError(
        f"{name!r} cannot be the name of a folder: use letters, digits, '-', '_' and '.', for "
        f"example {folder_name_near(name)}"
    )


def folder_name_near(name: str) -> str:
    """Return a name that can be the name of a folder on every system, and is like another one.

    >>> folder_name_near("task 1: Anna"), folder_name_near("::")
    ('task-1-Anna', 'run')
    """
    return re.sub(r"[^\w.-]+", "-", name)[:40].strip("-. ") or "run"
