"""Draw the learning rate of every step of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cnnkit.plots.figures import COLOURS, save_figure, save_svg

_LARGE_RATIO = 20  # of the peaks of two phases; the smaller one would look like 0


def plot_rates(phases: Sequence[tuple[str, int, np.ndarray | None]], path: Path) -> None:
    """Draw the learning rate over the epochs.

    Args:
        phases: for each the label, the number of its epochs, and the rates by epoch and step,
            (epochs, steps); None if the phase takes no steps.
        path: a PNG or SVG file.
    """
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    begin, peaks = 0, []
    for number, (label, num_epochs, rates) in enumerate(phases):
        if rates is not None:
            steps = np.arange(rates.size) / rates.shape[1]
            colour = COLOURS[number % len(COLOURS)]
            axis.plot(begin + steps, rates.ravel(), color=colour, label=label)
            peaks.append(rates.max())
        if begin:
            axis.axvline(begin, color="grey", linestyle="--", linewidth=0.7)
        begin += num_epochs
    if peaks and max(peaks) > _LARGE_RATIO * min(peaks):
        axis.set_yscale("log")
        axis.set_ylim(bottom=min(peaks) / 1000)  # a cosine ends at almost 0
    else:
        axis.set_ylim(bottom=0)
    axis.set(xlabel="epochs", ylabel="learning rate", xlim=(0, begin))
    axis.grid(alpha=0.3)
    if len(peaks) > 1:
        axis.legend()
    (save_svg if path.suffix == ".svg" else save_figure)(figure, path)
