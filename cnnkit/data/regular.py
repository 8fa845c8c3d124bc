"""A path enters; its file leaves open, or why there is none: pipes and devices are never read."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

# Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str, *, buffering: int = -1) -> BinaryIO:
    """Open a regular file for reading; links are followed.

    Args:
        path: of the file.
        buffering: as of `open`; 0 is quickest for a file that is read in one go.

    Raises:
        OSError: it cannot be opened, or it is no regular file.
    """
    descriptor = os.open(path, _READ)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {_kind(mode)}, not a file", path)
    return open(descriptor, "rb", buffering=buffering)


def is_path(file: object) -> bool:
    """Tell whether this is a path, and not a part of a file."""
    return isinstance(file, str | os.PathLike)


def why_unreadable(path: str | os.PathLike) -> tuple[str, str] | None:
    """Return (kind of fault, reason) where a path leads to no regular file; None where it does.

    The kinds are those of `cnnkit.data.check`; nothing is opened.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "broken_link", "it is a link that leads to itself"
        if os.path.islink(path) and isinstance(error, FileNotFoundError | NotADirectoryError):
            return "broken_link", f"it is a link to {os.readlink(path)}, which is not there"
        if isinstance(error, FileNotFoundError):
            return "unreadable_file", "there is no such file"
        return "unreadable_file", f"it cannot be opened: {error.strerror or error}"
    except ValueError as error:  # a zero byte in the name
        return "unreadable_file", f"it cannot be opened: {error}"
    return None if stat.S_ISREG(mode) else ("special_file", f"it is {_kind(mode)}, not a file")


def _kind(mode: int) -> str:
    return next((name for test, name in _KINDS if test(mode)), "something else")
