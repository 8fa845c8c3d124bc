"""Draw many images with captions on one sheet, a PNG file, under headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from cnnkit.files import atomic_write
from cnnkit.output_guard import DRAWN_BY
from cnnkit.plots.drawable import FONT, drawable

SIDE = 180  # pixels of a cell, which holds an image of any proportions
_COLUMNS, _GAP, _LINE = 6, 10, 17
_LETTER_PIXELS, _HEADING_PIXELS = 13, 15
_HEADING = 28
_COLUMNS_OF_HEADING = 2  # the least width of a section, so that its heading can be read
_MISSING = (225, 225, 225)


@dataclass(frozen=True, eq=False)
class CaptionedImage:
    """One cell of a sheet.

    Args:
        pixels: uint8 (height, width, channels), at most `SIDE` high and wide; None if the image
            cannot be read.
        lines: below the image. If a line is too long, only its end is shown.
        is_wrong: whether the first line is drawn in red.
    """

    pixels: np.ndarray | None
    lines: Sequence[str]
    is_wrong: bool = False


Section = tuple[str, Sequence[CaptionedImage]]  # its heading, and its images


def write_image_sheet(sections: Sequence[Section], path: Path, *, columns: int = _COLUMNS) -> None:
    """Draw sections of images, each under its heading; short ones are next to each other.

    Args:
        sections: (heading, images); "" for no heading.
        path: the PNG file.
        columns: the largest number of images in a row.
    """
    num_lines = max(len(image.lines) for _, images in sections for image in images)
    cell_height = SIDE + num_lines * _LINE + _GAP
    shelves = _shelves(sections, columns)
    heights = [
        max(
            _HEADING * bool(heading) + -(-len(images) // columns) * cell_height
            for heading, images in shelf
        )
        for shelf in shelves
    ]
    used = max(sum(_num_columns(each, columns) for each in shelf) for shelf in shelves)
    sheet = Image.new("RGB", (used * (SIDE + _GAP) + _GAP, sum(heights) + _GAP), "white")
    top = _GAP
    for shelf, height in zip(shelves, heights, strict=True):
        left = _GAP
        for section in shelf:
            num_columns = _num_columns(section, columns)
            _draw_section(sheet, section, (left, top), num_columns, cell_height)
            left += num_columns * (SIDE + _GAP)
        top += height
    save_sheet(sheet, path)


def _num_columns(section: Section, columns: int) -> int:
    heading, images = section
    return min(columns, max(len(images), _COLUMNS_OF_HEADING if heading else 1))


def _shelves(sections: Sequence[Section], columns: int) -> list[list[Section]]:
    """Return the sections that are next to each other, from top to bottom."""
    shelves: list[list[Section]] = []
    free = 0
    for section in sections:
        needed = _num_columns(section, columns)
        if needed > free:
            shelves.append([])
            free = columns
        shelves[-1].append(section)
        # Without a heading, nothing would tell it from the next section.
        free = free - needed if section[0] else 0
    return shelves


def _draw_section(
    sheet: Image.Image,
    section: Section,
    corner: tuple[int, int],
    num_columns: int,
    cell_height: int,
) -> None:
    (heading, images), (left, top) = section, corner
    if heading:
        width = num_columns * (SIDE + _GAP) - _GAP
        _write(sheet, heading, corner, width, pixels=_HEADING_PIXELS)
        line = top + _HEADING - 7
        ImageDraw.Draw(sheet).line((left, line, left + width, line), fill="grey")
        top += _HEADING
    for index, image in enumerate(images):
        row, column = divmod(index, num_columns)
        _draw(sheet, image, (left + column * (SIDE + _GAP), top + row * cell_height))


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a picture as a PNG file that says who drew it."""
    header = PngInfo()
    for key, value in DRAWN_BY.items():
        header.add_text(key, value)
    with atomic_write(path, "wb") as stream:
        sheet.save(stream, "PNG", pnginfo=header)


def end_that_fits(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return a text, or only its end if it is wider than `width` pixels."""
    if font.getlength(text) <= width:
        return text
    while font.getlength(f"\u2026{text}") > width:
        text = text[1:]
    return f"\u2026{text}"


def _draw(sheet: Image.Image, image: CaptionedImage, corner: tuple[int, int]) -> None:
    left, top = corner
    frame = (left, top, left + SIDE - 1, top + SIDE - 1)
    draw = ImageDraw.Draw(sheet)
    if image.pixels is None:
        draw.rectangle(frame, fill=_MISSING)
        _write(sheet, "cannot be read", (left + 4, top + SIDE // 2), SIDE)
    else:
        height, width = image.pixels.shape[:2]
        picture = Image.fromarray(image.pixels.squeeze())
        sheet.paste(picture, (left + (SIDE - width) // 2, top + (SIDE - height) // 2))
    draw.rectangle(frame, outline="grey")
    for number, line in enumerate(image.lines):
        colour = "firebrick" if image.is_wrong and number == 0 else "black"
        _write(sheet, line, (left, top + SIDE + 2 + number * _LINE), SIDE, colour)


def _write(
    sheet: Image.Image,
    text: str,
    corner: tuple[int, int],
    width: int,
    colour: str = "black",
    pixels: int = _LETTER_PIXELS,
) -> None:
    font = ImageFont.truetype(str(FONT), pixels)
    short = end_that_fits(drawable(text), font, width)
    ImageDraw.Draw(sheet).text(corner, short, fill=colour, font=font)
