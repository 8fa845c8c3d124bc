"""The path that is to be written enters; an error leaves that names it and says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.names import shown

CONFIG = (".yaml", ".yml")
PICTURE = (".png",)
DRAWING = (".svg", ".png")
LIST = (".txt", ".list", ".lst", "")
# In the header of every PNG that is drawn, so that no photo is taken for one.
DRAWN_BY = {"Software": "cnnkit"}


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
