"""Whole-file writes, what may be overwritten, and what may be read: never a pipe or a device."""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from cnnkit.errors import UsageError
from cnnkit.text import shown

CONFIG = (".yaml", ".yml")
PICTURE = (".png",)
DRAWING = (".svg", ".png")
LIST = (".txt", ".list", ".lst", "")
# In the header of every PNG that is drawn, so that no photo is taken for one.
DRAWN_BY = {"Software": "cnnkit"}
# A file name need not be UTF-8; written and read so, its bytes stay what they are.
PATHS_AS_THEY_ARE = {"encoding": "utf-8", "errors": "surrogateescape"}
# Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_output(
    path: Path | None, option: str, endings: tuple[str, ...], *, overwrite: bool
) -> None:
    """Refuse a path with another ending, and one whose file is not to be replaced.

    Pipes and devices, such as /dev/stdout, are written to whatever their names.

    Args:
        path: what the user wants to be written; None where nothing.
        option: which option says so.
        endings: what the name may end in; `PICTURE`, `DRAWING`, `LIST` or `CONFIG`.
        overwrite: whether a file that is there may be replaced. A picture that cnnkit did not draw
            is never replaced.

    Raises:
        UsageError: the path is refused.
    """
    if path is None or (path.exists() and not path.is_file()):
        return
    name = shown(str(path))
    if path.suffix.lower() not in endings:
        allowed = " or ".join(ending or "nothing" for ending in endings)
        raise UsageError(f"{option} {name}: the name must end in {allowed}.")
    if not path.exists():
        return
    if path.suffix.lower() == ".png" and not _is_drawn(path):
        raise UsageError(f"{name} exists, and cnnkit did not draw it. Give another {option}.")
    if not overwrite:
        raise UsageError(f"{name} exists. Give another {option}, or --overwrite.")


def _is_drawn(path: Path) -> bool:
    """Tell whether a picture has our name in its header."""
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            return DRAWN_BY.items() <= image.info.items()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


@contextmanager
def naming(path: Path, temporary: str = "") -> Iterator[None]:
    """Let errors that name no file, or a temporary one, name the file that is wanted.

    Args:
        path: the file that is wanted.
        temporary: how the paths of temporary files begin; empty where there are none.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None or (temporary and str(error.filename).startswith(temporary)):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def atomic_write(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open a temporary file beside `path` that takes its name only when the block ends well.

    A link is followed. What is no regular file (a pipe, /dev/stdout) is written to directly.
    """
    text = {} if "b" in mode else {"newline": "", **PATHS_AS_THEY_ARE}
    if path.exists() and not path.is_file():
        with naming(path), path.open(mode, **text) as file:
            yield file
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    with naming(path, str(path.parent / prefix)):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix)
        try:
            with os.fdopen(handle, mode, **text) as file:
                yield file
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException as error:
            Path(temporary).unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:  # such as a full disk
                error.filename = str(path)
            raise


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_write(path) as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
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
