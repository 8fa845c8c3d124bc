"""Draw the images whose labels are probably wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError
from cnnkit.plots.image_sheet import SIDE, CaptionedImage, write_image_sheet

_SETTINGS = PixelSettings((SIDE, SIDE), resize="pad", background=230)


def draw_review(rows: Sequence[Mapping[str, Any]], files: Sequence[ImageFile], path: Path) -> None:
    """Draw images with their label, what it should perhaps be, and their name.

    Args:
        rows: of the CSV.
        files: the image of each row.
        path: the PNG file.
    """
    images = [_captioned(row, file) for row, file in zip(rows, files, strict=True)]
    write_image_sheet([("", images)], path)


def _captioned(row: Mapping[str, Any], file: ImageFile) -> CaptionedImage:
    try:
        pixels = read_pixels(file, _SETTINGS)
    except ImageError:
        pixels = None
    is_other = row["suggestion"] != row["label"]
    lines = (
        f"{row['rank']}: label {row['label']} {float(row['label_probability']):.2f}",
        f"perhaps {row['suggestion']} {float(row['suggestion_probability']):.2f}"
        if is_other
        else "as labelled",
        row["path"],
    )
    return CaptionedImage(pixels, lines, is_wrong=bool(row["flagged"]))
