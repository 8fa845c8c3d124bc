"""Draw a confusion matrix; of many classes, the commonest confusions are listed next to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from cnnkit.metrics import MOST_CLASSES_IN_FULL, most_confused
from cnnkit.plots.figures import class_label, save_figure, save_png_and_svg

MOST_IN_LABEL_ORDER = 20  # classes; people look for similar ones among more
_MOST_CONFUSIONS = 30
_MOST_CELLS = 400  # along each side of a matrix; more could not be told apart


def plot_confusion_matrix(
    matrix: ArrayLike,
    class_names: Sequence[str],
    path: Path,
    *,
    normalized: bool = False,
    svg: bool = True,
) -> None:
    """Draw a confusion matrix, coloured by the share of the true class.

    Rows are true classes, columns are predicted classes. More than `MOST_IN_LABEL_ORDER` classes
    are ordered by similarity. Of more than `MOST_CLASSES_IN_FULL` classes, the matrix is drawn
    without names, with the commonest confusions next to it.

    Args:
        matrix: counts (num_classes, num_classes).
        class_names: ordered by label.
        path: the PNG file; an SVG file is written next to it.
        normalized: write percentages of the true class into the cells instead of counts. It makes
            no difference for more than `MOST_CLASSES_IN_FULL` classes, whose cells have no text.
        svg: also write the SVG file.
    """
    save = save_png_and_svg if svg else save_figure
    matrix = np.asarray(matrix)
    order = similarity_order(matrix)
    ordered, names = matrix[np.ix_(order, order)], [class_names[label] for label in order]
    if len(names) > MOST_CLASSES_IN_FULL:
        save(_confusions_figure(ordered, names), path)
        return
    share = ordered / np.maximum(ordered.sum(axis=1, keepdims=True), 1)
    size = len(names)
    side = min(4 + 0.35 * size, 40)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    percent = PercentFormatter(1)  # 0.5 is 50%
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8, format=percent)
    axis.set(xlabel="predicted class", ylabel="true class", xticks=range(size), yticks=range(size))
    axis.set_title(
        ("percent of the true class" if normalized else "images")
        + (", classes ordered by similarity" if size > MOST_IN_LABEL_ORDER else "")
    )
    labels = [class_label(name) for name in names]
    rotation = 90 if max(map(len, labels)) > 3 else 0
    axis.set_xticklabels(labels, rotation=rotation, parse_math=False)
    axis.set_yticklabels(labels, parse_math=False)
    if size <= 40:  # with more classes the numbers would be too small to read
        for row, column in zip(*np.nonzero(ordered), strict=True):
            colour = "white" if share[row, column] > 0.5 else "black"
            text = f"{100 * share[row, column]:.0f}" if normalized else ordered[row, column]
            cell = axis.text(column, row, text, ha="center", va="center", color=colour)
            cell.set_in_layout(False)  # inside the matrix: measuring hundreds of texts takes long
    save(figure, path)


def similarity_order(matrix: np.ndarray) -> np.ndarray:
    """Return the labels in an order in which classes that are confused are near each other.

    Up to `MOST_IN_LABEL_ORDER` classes stay in label order. The others are the leaves of a tree
    that joins the classes that are most often confused first (average linkage).
    """
    if len(matrix) <= MOST_IN_LABEL_ORDER:
        return np.arange(len(matrix))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    distance = 1 - (share + share.T) / 2
    np.fill_diagonal(distance, 0)
    # The best order of the leaves takes minutes with a thousand classes.
    best = len(matrix) <= MOST_CLASSES_IN_FULL
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=best)
    return leaves_list(tree)


def _confusions_figure(matrix: np.ndarray, class_names: Sequence[str]) -> Figure:
    figure = Figure(figsize=(17, 8), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.1)
    overview, bars = figure.subplots(1, 2, width_ratios=(1, 0.9))
    blocks, per_block = _blocks(matrix)
    share = blocks / np.maximum(blocks.sum(axis=1, keepdims=True), 1)
    extent = (0, len(matrix), len(matrix), 0)
    # The root makes small shares visible, which single cells of so many need.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    image = overview.imshow(share, cmap="Blues", norm=norm, extent=extent, interpolation="nearest")
    label = "share of the true class" if per_block == 1 else "share of the true classes of a cell"
    figure.colorbar(image, ax=overview, label=label, shrink=0.8)
    title = f"{len(class_names):,} classes ordered by similarity"
    if per_block > 1:
        title += f", {per_block} x {per_block} per cell"
    overview.set(title=title, xlabel="predicted class (place)", ylabel="true class (place)")
    _draw_confusions(bars, matrix, class_names)
    return figure


def _blocks(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the sums of square blocks of a matrix, and the side of a block."""
    side = -(-len(matrix) // _MOST_CELLS)
    starts = np.arange(0, len(matrix), side)
    return np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1), side


def _draw_confusions(axis: Any, matrix: np.ndarray, class_names: Sequence[str]) -> None:
    pairs = most_confused(matrix, _MOST_CONFUSIONS)
    total, wrong = matrix.sum(axis=1), matrix.sum() - np.trace(matrix)
    if not pairs:
        axis.set_axis_off()
        axis.set_title("No image was confused with another class.")
        return
    counts = [matrix[pair] for pair in pairs]
    axis.barh(range(len(pairs)), counts)
    names = [
        f"{class_label(class_names[a])} \u2192 {class_label(class_names[b])}" for a, b in pairs
    ]
    axis.set_yticks(range(len(pairs)), names, fontsize=8, parse_math=False)
    for row, (true, _) in enumerate(pairs):
        axis.annotate(
            f"{counts[row]:,} of {total[true]:,}",
            (counts[row], row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.invert_yaxis()
    axis.margins(x=0.15, y=0.01)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set(
        title="commonest confusions (true \u2192 predicted)",
        xlabel=f"images ({wrong:,} of {matrix.sum():,} are wrong)",
    )
