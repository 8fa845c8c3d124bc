"""Draw a grid of titled pictures and small matrices as one PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cnnkit.plots.drawable import drawable
from cnnkit.plots.figures import save_figure

_CELL_INCHES = 2.3
_NARROWEST_INCHES = 1.75  # of a cell, so that titles fit above narrow pictures
_TITLE_INCHES = 0.5  # for three lines above a picture
_HEADING_INCHES = 0.45  # for two lines
_GAP_INCHES = 0.12
_MOST_LETTERS = 26  # in the title of a cell
_LARGEST_LETTERS = 13  # points
_LETTER_SHARE = (0.6, 1.25)  # width and height of a monospaced letter, as a share of its size


@dataclass(frozen=True, eq=False)
class Tile:
    """One cell of the grid.

    Args:
        title: shown in bold letters.
        caption: two lines below the title.
        content: uint8 pixels (rows, columns, channels), or the text of a matrix.
    """

    title: str
    caption: str
    content: np.ndarray | str


def plot_tiles(rows: Sequence[Sequence[Tile]], heading: Sequence[str], path: Path) -> None:
    """Draw rows of tiles; a smaller map is drawn as large as the input.

    Args:
        rows: the first tile of the first row decides the proportions of all cells.
        heading: two lines above all rows.
        path: the PNG file.
    """
    columns = max(map(len, rows))
    picture, cell = _inches(rows[0][0].content.shape)
    size = (columns * cell[0] + _GAP_INCHES, len(rows) * cell[1] + _HEADING_INCHES)
    figure = Figure(figsize=size)
    text = "\n".join(_shortened(line, _MOST_LETTERS * columns) for line in heading)
    place = (_GAP_INCHES / size[0], 1 - 0.1 / size[1])
    figure.text(*place, text, fontsize=8, va="top", parse_math=False)
    for number, row in enumerate(rows):
        bottom = size[1] - _HEADING_INCHES - number * cell[1] - _TITLE_INCHES - picture[1]
        for column, tile in enumerate(row):
            left = _GAP_INCHES + column * cell[0]
            box = (left, bottom, cell[0] - _GAP_INCHES, picture[1])
            axes = figure.add_axes([part / size[i % 2] for i, part in enumerate(box)])
            _draw(axes, tile)
    save_figure(figure, path)


def _inches(shape: tuple[int, ...]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return (width, height) of a picture and of the cell around it."""
    scale = _CELL_INCHES / max(shape[:2])
    height, width = shape[0] * scale, shape[1] * scale
    room = max(width + _GAP_INCHES, _NARROWEST_INCHES)
    return (width, height), (room, height + _TITLE_INCHES + _GAP_INCHES)


def _draw(axes: Any, tile: Tile) -> None:
    axes.set_axis_off()
    axes.set_anchor("NW")
    _write_above(axes, tile.caption, 3, fontsize=6.5)
    _write_above(axes, _shortened(tile.title, _MOST_LETTERS), 22, fontsize=8, fontweight="bold")
    if isinstance(tile.content, str):
        size = _letter_size(tile.content, axes)
        axes.text(0, 0.95, tile.content, family="monospace", fontsize=size, va="top")
        return
    pixels = tile.content
    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255)


def _write_above(axes: Any, text: str, points: float, **font: Any) -> None:
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "parse_math": False}
    axes.annotate(text, (0, 1), (0, points), **place, **font)


def _letter_size(text: str, axes: Any) -> float:
    """Return the largest size of letters, in points, with which a text fits into its cell."""
    lines = text.splitlines()
    letters = (max(map(len, lines)), len(lines))
    extent, dots = axes.get_window_extent(), axes.figure.dpi
    inches = (extent.width / dots, extent.height / dots)
    fitting = (
        0.95 * 72 * room / (share * count)
        for room, share, count in zip(inches, _LETTER_SHARE, letters, strict=True)
    )
    return min(_LARGEST_LETTERS, *fitting)


def _shortened(text: str, most: int) -> str:
    """Return a line as text that can be drawn, or only its end if it is too long."""
    text = drawable(text)
    return text if len(text) <= most else f"\u2026{text[1 - most :]}"
