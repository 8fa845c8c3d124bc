"""Walk a folder of files: its images at any depth, and what is ignored."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnnkit.data.decoding.image_formats import image_extensions
from cnnkit.data.sources.ignored import NO_EXTENSION, NO_IMAGE, SEEN, Ignored, why_hidden
from cnnkit.errors import DataError


def image_files(folder: str, ignored: Ignored) -> list[str]:
    """Return the image files below a folder, at any depth, sorted.

    Args:
        folder: its path, which the paths of the files begin with.
        ignored: gets all other files and folders.
    """
    found = []
    for path, _ in files_below(folder, folder.rstrip(os.sep) + os.sep, ignored):
        if is_image(path):
            found.append(path)
        else:
            ignored.add_no_image(path, path)
    # Path removes what is needless in the typed folder, as in `./photos//`.
    return [str(Path(path)) for path in sorted(found)]


def folders_and_files(
    folder: str | Path, prefix: str, ignored: Ignored
) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """Return the sub-folders and the files of a folder that are not hidden.

    Args:
        folder: its path.
        prefix: what messages call it, with a slash at the end; empty for the source itself.
        ignored: gets the others.

    Raises:
        DataError: the folder cannot be read.
    """
    folders, files = [], []
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError as error:
        message = f"{folder} cannot be read: {error.strerror or error}."
        raise DataError(message, path=str(folder)) from error
    for entry in entries:
        name = entry.name
        if reason := why_hidden(name):
            ignored.add(reason, prefix + name)
        elif is_folder(entry):
            folders.append(entry)
        else:
            files.append(entry)
    return folders, files


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or a link to one; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        reason = error.strerror or error
        raise DataError(f"{entry.path} cannot be read: {reason}.", path=entry.path) from error


def is_image(name: str) -> bool:
    """Tell whether the name of a file ends like that of an image."""
    # Of a name without a dot this takes the last letter, which is no extension.
    return name[name.rfind(".") :].lower() in image_extensions()


def why_left_out(parts: Sequence[str], *, only_images: bool = True) -> str | None:
    """Return why a file is ignored because of its path; else None.

    Args:
        parts: of the path: the names of folders, and that of the file.
        only_images: whether it has to be named like an image.
    """
    for part in parts:
        if part not in ("", ".", "..") and (reason := why_hidden(part)) is not None:
            return reason
    if not only_images or is_image(parts[-1]):
        return None
    return NO_IMAGE if os.path.splitext(parts[-1])[1] else NO_EXTENSION


def files_below(folder: str, prefix: str, ignored: Ignored) -> Iterator[tuple[str, str]]:
    """Walk a folder and follow links; a folder that was read before is not read again."""
    waiting, seen = [(folder, prefix)], set()
    while waiting:
        path, shown = waiting.pop()
        # By its number on the disk, because links give one folder several paths.
        facts = os.stat(path)
        if (facts.st_dev, facts.st_ino) in seen:
            ignored.add(SEEN, shown.rstrip("/"))
            continue
        seen.add((facts.st_dev, facts.st_ino))
        folders, files = folders_and_files(path, shown, ignored)
        for entry in files:
            yield entry.path, shown + entry.name
        waiting += [(entry.path, f"{shown}{entry.name}/") for entry in folders]
