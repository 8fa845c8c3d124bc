"""Write files whole or not at all, refuse to replace a photograph, and read only regular files."""

from __future__ import annotations

import codecs
import csv
import errno
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, TypedDict

from cnnkit.errors import UsageError
from cnnkit.text import endings_text, shown

# The endings that the name of an output may have.
CONFIG = (".yaml", ".yml")
PICTURE = (".png",)
DRAWING = (".svg", ".png")
KERAS = (".keras",)
LIST = (".txt", ".list", ".lst", "")
ANSWERS = (".csv", ".jsonl", ".txt", "")

STDIN = 0  # an input of `check_output`: the file that the shell redirects to standard input

# Written into every PNG and SVG that is drawn, so that no photograph is taken for one of them.
DRAWN_BY = {"Software": "cnnkit"}
SVG_DRAWN_BY = {"Creator": "cnnkit"}
# What they look like in a file: a text chunk of 15 bytes in a PNG, an element in an SVG.
_DRAWN = re.compile(
    rb"\x89PNG.*\0\0\0\x0ftEXtSoftware\0cnnkit|<\?xml.*<dc:title>cnnkit</dc:title>", re.S
)

# What Pillow reads, what cameras and phones write, and drawings.
_PICTURE_ENDINGS = frozenset(
    """
    .apng .avif .avifs .blp .bmp .bw .cur .dcx .dds .dib .emf .eps .fit .fits .flc .fli .ftc .ftu
    .gbr .gif .icb .icns .ico .iim .im .j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .msp .pbm
    .pcd .pcx .pfm .pgm .png .pnm .ppm .ps .psd .pxr .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .vda
    .vst .webp .wmf .xbm .xpm
    .arw .cr2 .cr3 .dng .heic .heif .hif .nef .orf .raf .raw .rw2 .svg
    """.split()
)
# The first bytes of common pictures, for files whose names do not say what they are.
_PICTURE_BYTES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF.{4}WEBP|.{4}ftyp(avif|hei)",
    re.S,
)


class Encoding(TypedDict):
    """The arguments of `open` and `decode` that say which bytes a text has."""

    encoding: str
    errors: str


# A file name need not be UTF-8; read and written like this, its bytes stay what they are.
PATHS_AS_THEY_ARE: Encoding = {"encoding": "utf-8", "errors": "surrogateescape"}
WITHOUT_MARK: Encoding = {**PATHS_AS_THEY_ARE, "encoding": "utf-8-sig"}  # as an editor left it
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


def check_output(
    path: Path | None,
    option: str,
    endings: tuple[str, ...],
    *,
    overwrite: bool,
    inputs: Iterable[str | os.PathLike[str] | int] = (),
    in_run: bool = False,
) -> None:
    """Refuse to write a file that would destroy something, before anything is computed.

    A picture that cnnkit did not draw, a file that the command reads and a file of a run are never
    replaced, any other file only with `--overwrite`. Pipes and devices may have any name.

    Args:
        path: the file to write; None if there is none.
        option: the option that names it, for the message.
        endings: the endings that its name may have: CONFIG, PICTURE, ...
        overwrite: whether a file that exists may be replaced.
        inputs: the files that the command reads, or STDIN. What is not a file, such as the name of
            a run or a folder of images, is ignored.
        in_run: whether the command itself, not the user, chose a place in a run folder.

    Raises:
        UsageError: the path is refused.
    """
    if path is None or (path.exists() and not path.is_file()):
        return
    name = shown(str(path))
    if path.suffix.lower() not in endings:
        raise UsageError(f"{option} {name}: the name must end in {endings_text(endings)}.")
    if not path.exists():
        return
    if any(_is_same(path, other) for other in inputs):
        raise UsageError(f"{name} is a file that this command reads. Choose another {option}.")
    if _is_picture(path) and not is_drawn(path):
        raise UsageError(f"{name} exists, and cnnkit did not draw it. Choose another {option}.")
    if not in_run and (run := _run_around(path)):
        raise UsageError(f"{name} is a file of the run {shown(str(run))}. Choose another {option}.")
    if not overwrite:
        raise UsageError(f"{name} exists. Choose another {option}, or add --overwrite.")


def _is_same(path: Path, other: str | os.PathLike[str] | int) -> bool:
    """Tell whether two paths lead to one file; a name that leads nowhere is not that file."""
    with suppress(OSError, ValueError):
        return os.path.samefile(path, other)
    return False


def _run_around(path: Path) -> Path | None:
    """Return the run folder that a file is in, known by its run.json, or None."""
    return next((each for each in path.resolve().parents if (each / "run.json").is_file()), None)


def is_drawn(path: Path) -> bool:
    """Tell whether a file is a PNG or SVG that cnnkit drew."""
    return bool(_DRAWN.match(_head(path)))


def _is_picture(path: Path) -> bool:
    """Tell whether a file is a picture, by its name or by its first bytes."""
    return path.suffix.lower() in _PICTURE_ENDINGS or bool(_PICTURE_BYTES.match(_head(path)))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)  # what cnnkit draws says so within the first 1,000 bytes


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
            if isinstance(error, OSError) and error.filename is None:  # for example a full disk
                error.filename = str(path)
            raise


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
