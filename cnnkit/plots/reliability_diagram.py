"""Draw a reliability diagram: how often answers of each confidence are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cnnkit.metrics import CalibrationBins
from cnnkit.plots.figures import COLOURS, save_figure, save_png_and_svg


def plot_reliability(bins: CalibrationBins, path: Path, *, svg: bool = True) -> None:
    """Draw accuracy over confidence, with the number of images of each bin below.

    Args:
        bins: the images grouped by confidence.
        path: the PNG file; an SVG file is written next to it.
        svg: also write the SVG file.
    """
    figure = Figure(figsize=(5, 5.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    edges = np.arange(bins.num_bins + 1) / bins.num_bins
    middles, width = (edges[:-1] + edges[1:]) / 2, 1 / bins.num_bins
    used = bins.images > 0
    top.bar(middles[used], bins.accuracy[used], 0.9 * width, color=COLOURS[0], label="accuracy")
    # Hatched: the gap can also be told from the bar without colours.
    top.bar(
        middles[used],
        (bins.mean_confidence - bins.accuracy)[used],
        0.9 * width,
        bins.accuracy[used],
        facecolor="none",
        edgecolor=COLOURS[1],
        hatch="///",
        linewidth=1,
        label="gap to the confidence",
    )
    top.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1, label="perfect")
    top.set(ylabel="share of right answers", ylim=(0, 1), xlim=(0, 1))
    top.set_title(f"expected calibration error {bins.error:.3f}, {bins.num_bins} bins")
    # Outside: the bars may be anywhere.
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    bottom.bar(middles, bins.images, 0.9 * width, color="0.5")
    bottom.set(xlabel="confidence (probability of the answer)", ylabel="images")
    bottom.yaxis.get_major_locator().set_params(integer=True)
    (save_png_and_svg if svg else save_figure)(figure, path)
