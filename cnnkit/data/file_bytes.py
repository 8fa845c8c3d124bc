"""One file with an image, or a part of a larger file, and its bytes."""

from __future__ import annotations

import os
from typing import Protocol

from cnnkit.errors import ImageError
from cnnkit.files import open_regular, why_unreadable


class ImageFile(Protocol):
    """A file with one image, or a part of a larger file, such as `pathlib.Path` and `LocalFile`."""

    def read_bytes(self) -> bytes:
        """Return the encoded image; raises OSError if it cannot be read."""
        ...


class LocalFile(str):
    """The path of a file with one image.

    It is a string, not a `Path`, because a hundred thousand of them are made at once.
    """

    __slots__ = ()

    def read_bytes(self) -> bytes:
        """Return the encoded image; raises OSError if it cannot be read."""
        # All of it is read in one go, so a buffer would be of no help.
        with open_regular(self, buffering=0) as stream:
            return stream.read()


def read_file(file: ImageFile) -> bytes:
    """Return the bytes of a file.

    Raises:
        ImageError: the file cannot be read.
    """
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        # The operating system's error would be misleading if the path leads to a pipe or nowhere.
        found = why_unreadable(file) if isinstance(file, str | os.PathLike) else None
        kind, reason = found or ("unreadable_file", f"it cannot be opened: {_cause(error)}")
        raise ImageError(reason, kind=kind) from error


def _cause(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
