"""Draw how much of the answers is wrong, if only the most certain ones are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from cnnkit.plots.figures import COLOURS, save_figure


def plot_risk_coverage(curves: Mapping[str, tuple[Any, float, float | None]], path: Path) -> None:
    """Draw a risk-coverage curve per split, and a dot for the answers that are given.

    Args:
        curves: for each split its `RiskCoverage`, and the coverage and risk of the answers that the
            calibrated model gives; the risk is None if it gives none.
        path: the PNG file.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for colour, (name, (curve, coverage, risk)) in zip(COLOURS, curves.items(), strict=False):
        style = {"color": colour, "clip_on": False}  # a risk of 0 is on the axis
        axis.plot(
            curve.coverages, curve.risks, drawstyle="steps-post", label=f"{name} images", **style
        )
        if risk is not None:
            axis.plot(coverage, risk, "o", label=f"{name}, as calibrated", **style)
    axis.set(
        xlabel="coverage: share of the images that get an answer",
        ylabel="risk: share of these answers that is wrong",
        xlim=(0, 1.02),
    )
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend()
    save_figure(figure, path)
