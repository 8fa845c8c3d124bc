"""Draw the near duplicates that a check found, in pairs, into a PNG file."""

from __future__ import annotations

import os
from itertools import zip_longest
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cnnkit.data.check import Checked
from cnnkit.data.check.fault_kinds import Finding, Pair
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.plots.drawable import FONT, drawable
from cnnkit.plots.image_sheet import end_that_fits, save_sheet
from cnnkit.text import count_of, shown

_SIDE, _LINE, _GAP = 240, 17, 12
_LETTER_PIXELS = 13
_LABEL = 3 * _LINE + 2
_COLUMNS, _MOST_PAIRS = 3, 60
_RELATIONS = {
    "near_duplicate_across_splits": "in other splits",
    "near_duplicate_across_classes": "in other classes",
    "near_duplicate": "in one class",
}


def write_contact_sheet(checked: Checked, path: Path) -> tuple[int, int]:
    """Draw pairs of near duplicates side by side, each with a caption.

    One pair of each group comes first, then a second one, and so on. Nothing is written if there is
    no pair.

    Returns:
        How many pairs were drawn, and how many there are.
    """
    # One pair of each finding first, so that a large group does not fill the sheet.
    ranks = zip_longest(*([(f, pair) for pair in f.pairs] for f in checked.findings))
    found = {pair: finding for rank in ranks for finding, pair in filter(None, rank)}
    kept = list(found.items())[:_MOST_PAIRS]
    if not kept:
        return 0, 0
    rows = -(-len(kept) // _COLUMNS)
    width, height = 2 * _SIDE + _GAP, _SIDE + _LABEL + _GAP
    columns = min(_COLUMNS, len(kept))
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    for index, (pair, finding) in enumerate(kept):
        row, column = divmod(index, _COLUMNS)
        _draw_pair(sheet, pair, finding, checked, (_GAP + column * width, _GAP + row * height))
    save_sheet(sheet, path)
    return len(kept), len(found)


def contact_sheet_text(path: Path, drawn: int, found: int) -> str:
    """Return one sentence about what `write_contact_sheet` drew."""
    name = shown(str(path))
    if not drawn:
        return f"There are no near duplicates: {name} is not written."
    more = f", {found - drawn:,} more not drawn" if found > drawn else ""
    return f"{name}: {count_of(drawn, 'pair')}{more}"


def _draw_pair(
    sheet: Image.Image, pair: Pair, finding: Finding, checked: Checked, corner: tuple[int, int]
) -> None:
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(str(FONT), _LETTER_PIXELS)
    left, top = corner
    for step, path in enumerate(pair.paths):
        here, below = left + step * _SIDE, top + _SIDE + 2
        file = checked.files[path]
        pixels = read_pixels(file, PixelSettings((_SIDE, _SIDE), resize="pad", background=230))
        sheet.paste(Image.fromarray(pixels), (here, top))
        for line, text in enumerate(os.path.split(path), start=1):
            short = end_that_fits(drawable(text), font, _SIDE - 6)
            draw.text((here + 2, below + _LINE * line), short, fill="black", font=font)
    draw.text((left + 2, top + _SIDE + 2), _what(pair, finding), fill="firebrick", font=font)
    draw.rectangle((*corner, left + 2 * _SIDE - 1, top + _SIDE - 1), outline="grey")


def _what(pair: Pair, finding: Finding) -> str:
    """Return `error: in other classes, mirrored; correlation 0.998`."""
    mirrored = ", mirrored" if pair.mirrored else ""
    relation = _RELATIONS[finding.kind]
    return f"{finding.severity}: {relation}{mirrored}; correlation {pair.similarity:.3f}"
