"""Draw how loss, accuracy and learning rate develop over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.figure import Figure

from cnnkit.plots.figures import save_figure


def plot_curves(history: Sequence[Mapping[str, float]], path: Path, *, best_epoch: int) -> None:
    """Draw loss, accuracy and learning rate over the epochs.

    A dotted line marks the best epoch; dashed lines mark the beginnings of phases.
    """
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    begins = [
        row["epoch"] - 0.5 for before, row in pairwise(history) if before["phase"] != row["phase"]
    ]
    for axis, key in zip(figure.subplots(1, 3), ("loss", "accuracy", "learning_rate"), strict=True):
        columns = {"": key} if key == "learning_rate" else {"training": f"train_{key}"}
        if f"val_{key}" in history[0]:
            columns["validation"] = f"val_{key}"
        for label, column in columns.items():
            axis.plot(epochs, [row[column] for row in history], marker=".", label=label)
        axis.axvline(best_epoch, color="grey", linestyle=":", linewidth=1)
        for begin in begins:
            axis.axvline(begin, color="grey", linestyle="--", linewidth=0.7)
        axis.set(xlabel="epoch", title=key.replace("_", " "))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        if key != "learning_rate":
            axis.legend()
    save_figure(figure, path)
