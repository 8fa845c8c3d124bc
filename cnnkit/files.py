"""Write files whole or not at all, read only regular files, and tell the encoding of a text."""

from __future__ import annotations

import codecs
import csv
import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, TypedDict

from cnnkit.text import is_web_address


class Encoding(TypedDict):
    """The arguments of `open` and `decode` that say which bytes a text has."""

    encoding: str
    errors: str


# A file name need not be UTF-8; read and written like this, its bytes stay what they are.
PATHS_AS_THEY_ARE: Encoding = {"encoding": "utf-8", "errors": "surrogateescape"}
WITHOUT_MARK: Encoding = {**PATHS_AS_THEY_ARE, "encoding": "utf-8-sig"}  # as an editor left it
_MOST_OF_A_NAME = 32
# Windows programs begin a text with these. That of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Without O_NONBLOCK, opening a pipe would wait until another process writes into it.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def naming(path: Path, temporary: str = "") -> Iterator[None]:
    """Make errors inside the block name `path` if they name no file, or a temporary one.

    Args:
        path: the file that the user asked for.
        temporary: the beginning of the paths of temporary files; empty if there are none.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None or (temporary and str(error.filename).startswith(temporary)):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def atomic_write(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file in the folder of `path`, and rename it to `path` if the block succeeds.

    A link is followed. A pipe or a device, such as /dev/stdout, is written to directly.
    """
    text: dict[str, Any] = {} if "b" in mode else {"newline": "", **PATHS_AS_THEY_ARE}
    if path.exists() and not path.is_file():
        with naming(path), path.open(mode, **text) as file:
            yield file
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:_MOST_OF_A_NAME]}."  # a name of the greatest length leaves no room
    with naming(path, str(path.parent / prefix)):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix)
        try:
            with os.fdopen(handle, mode, **text) as file:
                yield file
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException as error:
            Path(temporary).unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:  # for example a full disk
                error.filename = str(path)
            raise


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_write(path) as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file whole or not at all."""
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def open_regular(path: str, *, buffering: int = -1) -> BinaryIO:
    """Open a regular file for reading; links are followed.

    Args:
        path: of the file.
        buffering: as for `open`; 0 is fastest for a file that is read in one go.

    Raises:
        OSError: it cannot be opened, or it is not a regular file.
    """
    descriptor = os.open(path, _READ)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {_kind(mode)}, not a file", path)
    return open(descriptor, "rb", buffering=buffering)


def why_unreadable(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Return (kind of fault, reason) if a path does not lead to a regular file, else None.

    The kinds are those of `cnnkit.data.check`. The file is not opened.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "broken_link", "it is a link that leads to itself"
        if os.path.islink(path) and isinstance(error, FileNotFoundError | NotADirectoryError):
            return "broken_link", f"it is a link to {os.readlink(path)}, which does not exist"
        if is_web_address(os.fspath(path)):
            return "unreadable_file", "it is a web address; download the file first"
        if isinstance(error, FileNotFoundError):
            return "unreadable_file", "there is no such file"
        return "unreadable_file", f"it cannot be opened: {error.strerror or error}"
    except ValueError as error:  # a zero byte in the name
        return "unreadable_file", f"it cannot be opened: {error}"
    return None if stat.S_ISREG(mode) else ("special_file", f"it is {_kind(mode)}, not a file")


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "something else")


def text_encoding(content: bytes) -> str:
    """Return the encoding of a text that a person or a program wrote: UTF-8, unless it shows.

    >>> text_encoding("path".encode("utf-16")), text_encoding(b"path")
    ('utf-16', 'utf-8-sig')
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    # Without a mark, UTF-16 shows by the zero byte that each English letter has.
    head = content[:200]
    if len(head) >= 8 and b"\0" in head and len(content) % 2 == 0:
        if not any(head[1::2]):
            return "utf-16-le"
        if not any(head[0::2]):
            return "utf-16-be"
    return "utf-8-sig"
