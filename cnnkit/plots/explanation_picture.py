"""Draw an image next to the maps that explain its answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnkit.plots.drawable import drawable
from cnnkit.plots.figures import class_label, save_figure

_CELL_INCHES = 2.4
_MOST_CLASSES = 5
_COLUMNS = 4  # more would be too small on a page
_OPACITY = 0.55
_FAR_ABOVE = 2  # times the number that 1% of a map exceed


def plot_explanation(
    title: str,
    image: NDArray,
    answer: Sequence[tuple[str, float]],
    maps: Sequence[tuple[str, NDArray]],
    path: Path,
) -> None:
    """Draw the image, the probabilities, and each map on the image and alone with its scale.

    Args:
        title: title of the figure.
        image: (height, width, channels) uint8.
        answer: (class name, probability); the most probable one is the first.
        maps: (heading, map); a map of any size covers the image.
        path: the PNG file.
    """
    height, width = image.shape[:2]
    tall = _CELL_INCHES * min(max(height / width, 0.5), 2)
    lines = math.ceil((len(maps) + 1) / _COLUMNS)
    columns = math.ceil((len(maps) + 1) / lines)  # so that the last line is not nearly empty
    size = columns * (_CELL_INCHES + 0.5), lines * (2 * tall + 0.9) + 0.4
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(2 * lines, columns, squeeze=False)
    for axis in axes[-2:].flat:  # the last line may have free places
        axis.set_axis_off()
    _draw_picture(axes[0, 0], image)
    axes[0, 0].set_title(f"image, {height} x {width} pixels", fontsize=8)
    _draw_answer(axes[1, 0], answer)
    for place, (heading, heat) in enumerate(maps, 1):
        line, column = divmod(place, columns)
        _draw_map(axes[2 * line : 2 * line + 2, column], image, heading, heat)
    figure.suptitle(drawable(title), fontsize=10, parse_math=False)
    save_figure(figure, path)


def _draw_map(axes: Any, image: NDArray, heading: str, heat: NDArray) -> None:
    """Draw a map on the image, and below that alone with its scale."""
    above, below = axes
    height, width = image.shape[:2]
    _draw_picture(above, image, grey=True)
    options = _colours(heat) | {"extent": (-0.5, width - 0.5, height - 0.5, -0.5)}
    above.imshow(heat, interpolation="bilinear", alpha=_OPACITY, **options)
    above.set_title("\n".join(map(drawable, heading.split("\n"))), fontsize=8, parse_math=False)
    drawn = below.imshow(heat, interpolation="nearest", **options)
    below.set_axis_off()
    ends = {(False, False): "neither", (False, True): "max", (True, False): "min"}
    beyond = bool(heat.min() < options["vmin"]), bool(heat.max() > options["vmax"])
    bar = below.figure.colorbar(
        drawn, ax=below, shrink=0.8, aspect=20, extend=ends.get(beyond, "both")
    )
    bar.ax.tick_params(labelsize=7)


def _draw_picture(axis: Any, image: NDArray, *, grey: bool = False) -> None:
    # Without its colours, so that those of the map are not mixed with them.
    shown = image.mean(axis=2) if grey or image.shape[2] == 1 else image
    axis.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_axis_off()


def _colours(heat: NDArray) -> dict[str, Any]:
    most = colour_limit(heat)
    if heat.min() < 0:
        return {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
    return {"cmap": "inferno", "vmin": 0, "vmax": most}


def colour_limit(heat: NDArray) -> float:
    """Return the number that gets the last colour of the scale.

    It is the largest one, unless a few pixels are so far above all others that these would look
    like 0; then it is the one that 1% of the numbers exceed.

    >>> colour_limit(np.array([[0.0, -3.0, 2.0]]))
    3.0
    """
    sizes = np.abs(heat)
    most, usual = float(sizes.max()), float(np.percentile(sizes, 99))
    return (usual if 0 < usual < most / _FAR_ABOVE else most) or 1.0


def _draw_answer(axis: Any, answer: Sequence[tuple[str, float]]) -> None:
    shown = answer[:_MOST_CLASSES]
    axis.set_axis_on()
    axis.barh(range(len(shown)), [probability for _, probability in shown], color="#0072B2")
    names = [class_label(name, 16) for name, _ in shown]
    axis.set_yticks(range(len(shown)), names, fontsize=8, parse_math=False)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.5, 1])
    axis.tick_params(axis="x", labelsize=7)
    axis.set_xlabel("probability", fontsize=8)
