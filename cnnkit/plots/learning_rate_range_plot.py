"""Draw the loss over a learning rate that rises step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cnnkit.plots.figures import COLOURS, save_figure, save_svg


def plot_learning_rate_range(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    fall: tuple[float, float] | None,
    suggestion: float | None,
    path: Path,
) -> None:
    """Draw the losses of the steps, their average, and the range in which they fall.

    Args:
        rates: (steps,) of each step.
        losses: (steps,) of each step.
        smoothed: (steps,) their moving average.
        fall: the learning rates between which the loss falls, or None.
        suggestion: the learning rate that is suggested, or None.
        path: a PNG or SVG file.
    """
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    axis.plot(rates, losses, ".", color="grey", alpha=0.5, label="loss of a batch")
    axis.plot(rates, smoothed, color=COLOURS[0], label="average")
    if fall is not None and suggestion is not None:
        axis.axvspan(*fall, color=COLOURS[2], alpha=0.15, label="the loss falls")
        axis.axvline(suggestion, color=COLOURS[1], linestyle="--", label=f"try {suggestion:g}")
    # The last losses may be huge, and would press all others to the ground.
    axis.set_ylim(0, 1.2 * max(smoothed[0], float(np.median(losses))))
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axis.grid(alpha=0.3)
    axis.legend()
    (save_svg if path.suffix == ".svg" else save_figure)(figure, path)
