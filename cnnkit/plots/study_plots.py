"""Draw what a search has found: the score of each trial, and which keys mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cnnkit.plots.drawable import drawable
from cnnkit.plots.figures import COLOURS, save_figure


def plot_study_history(
    scores: Sequence[tuple[int, float | None]],
    best: Sequence[float | None],
    path: Path,
    *,
    label: str,
) -> None:
    """Draw the score of each trial, and the best one so far.

    Args:
        scores: the number of each trial with its score; None if it ended early or failed.
        best: the best score so far after each of them; None as long as there is none.
        path: the PNG file.
        label: of the score, for the axis.
    """
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    known = [(number, score) for number, score in scores if score is not None]
    axis.plot(*zip(*known, strict=True), "o", color=COLOURS[0], label="trial")
    steps = [(number, so_far) for (number, _), so_far in zip(scores, best, strict=True)]
    steps = [(number, so_far) for number, so_far in steps if so_far is not None]
    axis.step(*zip(*steps, strict=True), where="post", color=COLOURS[1], label="best so far")
    if others := [number for number, score in scores if score is None]:
        # Below the axis, because they have no score.
        axis.plot(
            others,
            [0.02] * len(others),
            "x",
            color="grey",
            transform=axis.get_xaxis_transform(),
            label="ended early or failed",
        )
    axis.set(xlabel="trial", ylabel=label)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3)
    axis.legend()
    save_figure(figure, path)


def plot_importances(importances: Mapping[str, float], path: Path) -> None:
    """Draw which part of the variance of the score each key explains.

    Args:
        importances: by name, the largest first; their sum is 1.
        path: the PNG file.
    """
    height = 1.2 + 0.4 * len(importances)
    figure = Figure(figsize=(8, height), layout="constrained")
    axis = figure.subplots()
    names = [drawable(name) for name in importances]
    bars = axis.barh(names, list(importances.values()), color=COLOURS[0])
    axis.bar_label(bars, fmt="%.2f", padding=3)
    axis.invert_yaxis()  # the largest on top
    axis.set(xlabel="importance: part of the variance of the score", xlim=(0, 1.08))
    axis.grid(axis="x", alpha=0.3)
    save_figure(figure, path)
