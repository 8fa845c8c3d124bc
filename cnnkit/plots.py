"""Numbers enter; PNG pictures leave. The only module that imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnkit.runs import atomic_write


def plot_curves(history: Sequence[Mapping[str, float]], path: Path, *, best_epoch: int) -> None:
    """Draw loss, accuracy and learning rate over the epochs; a dotted line marks the best epoch."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axis, key in zip(figure.subplots(1, 3), ("loss", "accuracy", "learning_rate"), strict=True):
        columns = {"": key} if key == "learning_rate" else {"training": f"train_{key}"}
        if f"val_{key}" in history[0]:
            columns["validation"] = f"val_{key}"
        for label, column in columns.items():
            axis.plot(epochs, [row[column] for row in history], marker=".", label=label)
        axis.axvline(best_epoch, color="grey", linestyle=":", linewidth=1)
        axis.set(xlabel="epoch", title=key.replace("_", " "))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        if key != "learning_rate":
            axis.legend()
    _save(figure, path)


def plot_confusion_matrix(matrix: ArrayLike, class_names: Sequence[str], path: Path) -> None:
    """Draw counts, coloured by their share of the true class; rows are true, columns predicted."""
    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = len(class_names)
    side = min(4 + 0.35 * size, 40)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    axis.set(xlabel="predicted", ylabel="true", xticks=range(size), yticks=range(size))
    axis.set_xticklabels(class_names, rotation=90 if max(map(len, class_names)) > 3 else 0)
    axis.set_yticklabels(class_names)
    if size <= 40:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = "white" if share[row, column] > 0.5 else "black"
            axis.text(column, row, matrix[row, column], ha="center", va="center", color=colour)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=120)
