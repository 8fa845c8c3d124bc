"""Draw feature maps, filters and patches as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnkit.plots.drawable import drawable
from cnnkit.plots.figures import save_figure

_COLUMNS = 8
_CELL_INCHES = 1.15
_LABEL_SHARE = 0.2  # of a cell's height, for the label above it
_GAP_SHARE = 0.06  # of a cell's width, between cells
_STAGES_A_LINE = 12
_MOST_NUMBERS = 32  # in a row that is drawn as a strip
_MOST_CLASSES = 10


@dataclass(frozen=True, eq=False)
class Section:
    """Maps that share one colour scale: (height, width, number of maps), with their labels."""

    title: str
    maps: NDArray
    labels: Sequence[str]


def plot_maps(title: str, sections: Sequence[Section], path: Path) -> None:
    """Draw grids of maps one below the other, each with its own colour scale.

    If there are negative numbers, colours go from blue over white (0) to red; otherwise from dark
    to light.
    """
    columns = min(_COLUMNS, sections[0].maps.shape[2])
    heights = [_grid_inches(section.maps.shape, columns) for section in sections]
    width = max(columns * _CELL_INCHES + 1.6, 5.0)
    figure = Figure(figsize=(width, sum(heights) + 0.6), layout="constrained")
    axes = figure.subplots(len(sections), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, section in zip(axes, sections, strict=True):
        grid, places = _grid(section.maps, columns)
        drawn = axis.imshow(grid, interpolation="nearest", **_colours(section.maps))
        for (left, top), label in zip(places, section.labels, strict=True):
            axis.text(left, top, label, fontsize=6.5, va="bottom", ha="left")
        axis.set_title(_text(section.title), fontsize=9, loc="left", parse_math=False)
        axis.set_axis_off()
        figure.colorbar(drawn, ax=axis, shrink=0.8, aspect=25)
    figure.suptitle(_text(title), fontsize=10, parse_math=False)
    save_figure(figure, path)


def _text(lines: str) -> str:
    """Return lines, which may contain names of files and layers, as text that can be drawn."""
    return "\n".join(drawable(line) for line in lines.split("\n"))


def _grid_inches(shape: tuple[int, ...], columns: int) -> float:
    height, width, count = shape
    rows = -(-count // columns)
    return rows * _CELL_INCHES * (1 + _LABEL_SHARE) * min(height / width, 3) + 0.5


def _grid(maps: NDArray, columns: int) -> tuple[NDArray, list[tuple[float, float]]]:
    """Return the maps in one array with NaN between them, and the places of their labels."""
    height, width, count = maps.shape
    # Small maps are enlarged, because a gap is at least one pixel wide.
    times = max(1, -(-24 // max(height, width)))
    maps = maps.repeat(times, axis=0).repeat(times, axis=1)
    height, width = height * times, width * times
    down = height + max(2, round(_LABEL_SHARE * max(height, width)))
    across = width + max(1, round(_GAP_SHARE * width))
    grid = np.full((down * -(-count // columns), across * columns), np.nan, np.float32)
    places = []
    for index in range(count):
        bottom, left = down * (index // columns + 1), across * (index % columns)
        grid[bottom - height : bottom, left : left + width] = maps[..., index]
        places.append((left - 0.5, bottom - height - 0.5))
    return grid, places


def _colours(maps: NDArray) -> dict[str, Any]:
    low, high = float(maps.min()), float(maps.max())
    if low < 0:
        most = max(-low, high)
        return {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
    return {"cmap": "viridis", "vmin": 0, "vmax": high or 1}


@dataclass(frozen=True, eq=False)
class Column:
    """One stage of the overview: some of its maps, or a row of numbers.

    Args:
        title: its name and size.
        values: (height, width, maps) or, for a row of numbers, (numbers,).
        labels: labels of the maps.
    """

    title: str
    values: NDArray
    labels: Sequence[str] = ()


def plot_path(
    title: str,
    image: NDArray,
    columns: Sequence[Column],
    answer: Sequence[tuple[str, float]],
    path: Path,
) -> None:
    """Draw an image, the most active maps of each stage, and the probabilities at the end.

    Args:
        title: title of the figure.
        image: (height, width, channels) uint8.
        columns: the stages.
        answer: (class name, probability); the most probable one is the first.
        path: the PNG file.
    """
    most = max((c.values.shape[2] for c in columns if c.values.ndim == 3), default=1)
    lines, across = path_layout(len(columns))
    size = (across * 1.35 + 0.4, lines * (most * 1.25 + 0.9) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(lines, across)
    places = [divmod(cell, across) for cell in range(len(columns) + 1)]
    _draw_image(figure.add_subplot(grid[places[0]]), image, most)
    for (line, place), column in zip(places[1:], columns, strict=True):
        _draw_column(figure.add_subplot(grid[line, place]), column, most)
    # What is left of the last line, so that no place stays empty.
    after = len(columns) + 1 - (lines - 1) * across
    _draw_answer(figure.add_subplot(grid[-1, after:]), answer)
    figure.suptitle(_text(title), fontsize=10, parse_math=False)
    save_figure(figure, path)


def path_layout(num_columns: int) -> tuple[int, int]:
    """Return the number of lines of the overview and the number of places in each.

    >>> path_layout(9), path_layout(10)
    ((1, 12), (2, 7))
    """
    places = num_columns + 3  # the image, and at least two for the probabilities
    lines = -(-places // _STAGES_A_LINE)
    return lines, -(-places // lines)  # of equal length, so that the last is not almost empty


def _draw_image(axis: Any, image: NDArray, most: int) -> None:
    height, width, channels = image.shape
    tall = np.full((_tall(height, most), width, 4), 0, np.uint8)
    tall[:height, :, :3] = image
    tall[:height, :, 3] = 255
    axis.imshow(tall, interpolation="nearest")
    axis.set_title(f"image\n{height} x {width} x {channels}", fontsize=7)
    axis.set_axis_off()


def _tall(height: int, most: int) -> int:
    """Return the height in pixels of a column of `most` maps with their labels."""
    return most * (height + max(2, round(_LABEL_SHARE * height)))


def _draw_column(axis: Any, column: Column, most: int) -> None:
    axis.set_title(_text(column.title), fontsize=7, parse_math=False)
    if column.values.ndim == 1:
        return _draw_numbers(axis, column.values)
    grid, places = _grid(column.values, 1)
    full = round(grid.shape[0] / column.values.shape[2]) * most
    padded = np.full((full, grid.shape[1]), np.nan, np.float32)
    padded[: len(grid)] = grid
    axis.imshow(padded, interpolation="nearest", **_colours(column.values))
    for (left, top), label in zip(places, column.labels, strict=True):
        axis.text(left, top, label, fontsize=6, va="bottom", ha="left")
    axis.set_axis_off()


def _draw_numbers(axis: Any, numbers: NDArray) -> None:
    """Draw a row of numbers as a strip from top to bottom; many numbers are averaged in groups."""
    parts = np.array_split(numbers, min(_MOST_NUMBERS, len(numbers)))
    strip = np.array([part.mean() for part in parts])[:, None]
    axis.imshow(strip, interpolation="nearest", aspect="auto", **_colours(strip))
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_box_aspect(6)


def _draw_answer(axis: Any, answer: Sequence[tuple[str, float]]) -> None:
    shown = answer[:_MOST_CLASSES]
    names = [drawable(name) for name, _ in shown]
    names = [name if len(name) <= 18 else f"{name[:17]}\u2026" for name in names]
    axis.barh(range(len(shown)), [probability for _, probability in shown], color="tab:blue")
    axis.set_yticks(range(len(shown)), names, fontsize=7, parse_math=False)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.5, 1])
    axis.tick_params(axis="x", labelsize=6)
    for place, (_, probability) in enumerate(shown):
        axis.text(1.03, place, f"{probability:.3f}", fontsize=6, va="center")
    axis.set_title("probabilities", fontsize=7)


def plot_pictures(
    title: str,
    rows: Sequence[tuple[str, Sequence[NDArray], Sequence[str]]],
    path: Path,
    *,
    columns: int,
) -> None:
    """Draw small colour pictures in rows; pixels stay sharp.

    Args:
        title: title of the figure.
        rows: (caption, pictures, their titles); a picture is (height, width, 3) in [0, 1] or uint8.
        path: the PNG file.
        columns: most pictures per row.
    """
    size = (max(columns * 0.95 + 1.2, 5.5), len(rows) * 1.12 + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    for line, (caption, pictures, titles) in zip(axes, rows, strict=True):
        for axis, picture, text in zip(line, pictures, titles, strict=False):
            axis.imshow(picture, interpolation="nearest")
            axis.spines[:].set(visible=True, color="0.5", linewidth=0.6)
            axis.set_title(text, fontsize=6.5, pad=2)
        line[0].text(
            -0.08, 0.5, caption, fontsize=7, ha="right", va="center", transform=line[0].transAxes
        )
    figure.suptitle(_text(title), fontsize=9, parse_math=False)
    save_figure(figure, path)
