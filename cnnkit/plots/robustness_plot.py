"""Draw the accuracy on worsened images, and one image worsened in all ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from cnnkit.plots.drawable import drawable
from cnnkit.plots.figures import COLOURS, save_figure

_MARKERS = "os^Dv*P"  # one for each colour
_CELL_INCHES, _LEAST_PIXELS = 1.35, 160


def plot_robustness(
    accuracies: Mapping[str, Sequence[float]], clean_accuracy: float, path: Path
) -> None:
    """Draw a line per corruption over its strengths; strength 0 is the image as it is.

    Args:
        accuracies: for each strength, weakest first, by corruption.
        clean_accuracy: on the images as they are.
        path: the PNG file.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    looks = dict(zip(accuracies, zip(COLOURS, _MARKERS, strict=True), strict=True))
    # From the best line to the worst, so that the legend has the order of the lines.
    for kind in sorted(accuracies, key=lambda kind: -np.mean(accuracies[kind])):
        colour, marker = looks[kind]
        values = [clean_accuracy, *accuracies[kind]]
        axis.plot(range(len(values)), values, color=colour, marker=marker, label=kind, lw=2)
    axis.axhline(clean_accuracy, color="grey", linestyle=":", linewidth=1)
    axis.set_xlabel("strength of the corruption (0: none)", fontsize=13)
    axis.set_ylabel("accuracy (share of images)", fontsize=13)
    axis.set_ylim(0, 1.02)
    axis.tick_params(labelsize=12)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=12, frameon=False)
    save_figure(figure, path)


def plot_corrupted_image(
    image: NDArray, rows: Mapping[str, tuple[Sequence[str], Sequence[NDArray]]], path: Path
) -> None:
    """Draw one image as it is and, in one row per corruption, at each strength.

    Args:
        image: uint8 (height, width, channels).
        rows: (captions, uint8 copies of the image), weakest first, by corruption.
        path: the PNG file.
    """
    columns = 1 + max(len(copies) for _, copies in rows.values())
    height, width = image.shape[:2]
    cell = _CELL_INCHES, _CELL_INCHES * height / width + 0.25
    figure = Figure(figsize=(columns * cell[0], len(rows) * cell[1]), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (kind, (captions, copies)) in zip(axes, rows.items(), strict=True):
        titles = [drawable(kind), *captions]
        for axis, title, pixels in zip(line, titles, [image, *copies], strict=True):
            axis.imshow(_enlarged(pixels), cmap="gray", vmin=0, vmax=255)
            axis.set_title(title, fontsize=10, parse_math=False)
            axis.set_axis_off()
    save_figure(figure, path)


def _enlarged(pixels: NDArray) -> NDArray:
    """Return a small image with each pixel as a square of several, so that it stays sharp."""
    times = -(-_LEAST_PIXELS // max(pixels.shape[:2]))
    picture = Image.fromarray(pixels.squeeze(axis=2) if pixels.shape[2] == 1 else pixels)
    size = picture.width * times, picture.height * times
    return np.asarray(picture.resize(size, Image.Resampling.NEAREST))
