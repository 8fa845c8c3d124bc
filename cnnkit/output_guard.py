"""What a command may write: never over a photograph, a file that it reads, or a file of a run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.text import extensions_text, shown

# The extensions that the name of an output may have.
CONFIG = (".yaml", ".yml")
PICTURE = (".png",)
DRAWING = (".svg", ".png")
KERAS = (".keras",)
PAGE = (".html", ".htm")
LIST = (".txt", ".list", ".lst", "")
ANSWERS = (".csv", ".jsonl", ".parquet", ".txt", "")

STDIN = 0  # an input of `check_output`: the file that the shell redirects to standard input

# Written into every PNG and SVG that is drawn, so that no photograph is taken for one of them.
DRAWN_BY = {"Software": "cnnkit"}
SVG_DRAWN_BY = {"Creator": "cnnkit"}
# What they look like in a file: a text chunk of 15 bytes in a PNG, an element in an SVG.
_DRAWN = rb"(?s)\x89PNG.*\0\0\0\x0ftEXtSoftware\0cnnkit|<\?xml.*<dc:title>cnnkit</dc:title>"

# What Pillow reads, what cameras and phones write, drawings, and sounds.
_PICTURE_EXTENSIONS = frozenset(
    """
    .apng .avif .avifs .blp .bmp .bw .cur .dcx .dds .dib .emf .eps .fit .fits .flc .fli .ftc .ftu
    .gbr .gif .icb .icns .ico .iim .im .j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .msp
    .pcd .pcx .pfm .pgm .png .pnm .ppm .ps .psd .pxr .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .vda
    .pbm .vst .webp .wmf .xbm .xpm
    .arw .cr2 .cr3 .dng .heic .heif .hif .nef .orf .raf .raw .rw2 .svg .wav
    """.split()
)
# The first bytes of common pictures, for files whose names do not say what they are.
_PICTURE_BYTES = (
    rb"(?s)\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF.{4}(WEBP|WAVE)"
    rb"|.{4}ftyp(avif|hei)"
)


def check_output(
    path: Path | None,
    option: str,
    extensions: tuple[str, ...],
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
        extensions: the extensions that its name may have: CONFIG, PICTURE, ...
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
    if path.suffix.lower() not in extensions:
        raise UsageError(f"{option} {name}: the name must end in {extensions_text(extensions)}.")
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
    return bool(re.match(_DRAWN, _head(path)))


def _is_picture(path: Path) -> bool:
    """Tell whether a file is a picture, by its name or by its first bytes."""
    return path.suffix.lower() in _PICTURE_EXTENSIONS or bool(re.match(_PICTURE_BYTES, _head(path)))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)  # what cnnkit draws says so within the first 1,000 bytes
