"""Draw pictures of results as PNG files. Only this package imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnkit.files import DRAWN_BY, atomic_write
from cnnkit.metrics import MOST_CLASSES_IN_FULL, most_confused
from cnnkit.plots.drawable import drawable

if TYPE_CHECKING:
    from cnnkit.data.stats import DataStats


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


def plot_confusion_matrix(matrix: ArrayLike, class_names: Sequence[str], path: Path) -> None:
    """Draw counts, coloured by their share of the true class.

    Rows are true classes, columns are predicted classes. Of more than `MOST_CLASSES_IN_FULL`
    classes, the matrix is drawn without names, with the commonest confusions next to it.
    """
    matrix = np.asarray(matrix)
    if len(class_names) > MOST_CLASSES_IN_FULL:
        return _plot_confusions(matrix, class_names, path)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = len(class_names)
    side = min(4 + 0.35 * size, 40)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    axis.set(xlabel="predicted", ylabel="true", xticks=range(size), yticks=range(size))
    labels = [_label(name) for name in class_names]
    rotation = 90 if max(map(len, labels)) > 3 else 0
    axis.set_xticklabels(labels, rotation=rotation, parse_math=False)
    axis.set_yticklabels(labels, parse_math=False)
    if size <= 40:  # with more classes the numbers would be too small to read
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = "white" if share[row, column] > 0.5 else "black"
            axis.text(column, row, matrix[row, column], ha="center", va="center", color=colour)
    save_figure(figure, path)


_MOST_CONFUSIONS = 30
_MOST_CELLS = 400  # along each side of a matrix; more could not be told apart


def _plot_confusions(matrix: np.ndarray, class_names: Sequence[str], path: Path) -> None:
    figure = Figure(figsize=(17, 8), layout="constrained")
    overview, bars = figure.subplots(1, 2, width_ratios=(1, 0.9))
    blocks, per_block = _blocks(matrix)
    share = blocks / np.maximum(blocks.sum(axis=1, keepdims=True), 1)
    extent = (0, len(matrix), len(matrix), 0)
    # The root makes small shares visible, which single cells of so many need.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    image = overview.imshow(share, cmap="Blues", norm=norm, extent=extent, interpolation="nearest")
    label = "share of the true class" if per_block == 1 else "share of the true classes of a cell"
    figure.colorbar(image, ax=overview, label=label, shrink=0.8)
    title = f"{len(class_names):,} classes in label order"
    if per_block > 1:
        title += f", {per_block} x {per_block} per cell"
    overview.set(title=title, xlabel="predicted", ylabel="true")
    _draw_confusions(bars, matrix, class_names)
    save_figure(figure, path)


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
    names = [f"{_label(class_names[a])} \u2192 {_label(class_names[b])}" for a, b in pairs]
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


# The lines above each picture, and the uint8 pictures.
Row = tuple[Sequence[Sequence[str]], Sequence[np.ndarray]]

_CELL_INCHES = 1.9
_LETTER_INCHES = 0.06
_COLUMNS_WITHOUT_VERSIONS = 4


def plot_images(rows: Sequence[Row], path: Path) -> None:
    """Draw rows of images with captions; pixels stay sharp squares.

    Args:
        rows: rows with the same number of pictures. If each row has only one picture, several rows
            are drawn next to each other.
        path: the PNG file.
    """
    columns = max(len(pictures) for _, pictures in rows)
    captions, cells = [list(row[0]) for row in rows], [list(row[1]) for row in rows]
    if columns == 1:
        columns = min(_COLUMNS_WITHOUT_VERSIONS, len(rows))
        cells = [sum(cells[start : start + columns], []) for start in range(0, len(rows), columns)]
        captions = [
            sum(captions[start : start + columns], []) for start in range(0, len(rows), columns)
        ]
    height, width, _ = cells[0][0].shape
    scale = _CELL_INCHES / max(height, width)
    most = max(8, int(width * scale / _LETTER_INCHES))
    size = (columns * (width * scale + 0.25) + 0.3, len(cells) * (height * scale + 0.85) + 0.2)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(cells), columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, (pictures, texts) in enumerate(zip(cells, captions, strict=True)):
        for axis, pixels, lines in zip(axes[row], pictures, texts, strict=False):
            shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            axis.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            caption = "\n".join(_end(drawable(line), most) for line in lines)
            axis.set_title(caption, fontsize=7, loc="left", parse_math=False)
    figure.suptitle(f"{height} x {width} pixels (height x width)", fontsize=8)
    save_figure(figure, path)


def _end(text: str, most: int) -> str:
    """Return a text, or only its end if it is too long."""
    return text if len(text) <= most else f"\u2026{text[1 - most :]}"


_MOST_BARS = 40


def plot_data_stats(stats: DataStats, path: Path) -> None:
    """Draw the number of images by class and split, their sizes, and the mean of each channel.

    Args:
        stats: the counts and measures of a data set.
        path: the PNG file.
    """
    counts = stats.counts
    names = list(next(iter(counts.values())))
    figure = Figure(figsize=(13, max(4.0, 1.2 + 0.22 * min(len(names), _MOST_BARS))))
    figure.set_layout_engine("constrained")
    bars, sizes, values = figure.subplots(1, 3, width_ratios=(2, 1.6, 1))
    _draw_counts(bars, counts, names)
    _draw_sizes(sizes, stats.summary)
    _draw_values(values, stats)
    save_figure(figure, path)


def _draw_counts(axis: Any, counts: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> None:
    """Draw one bar per class, coloured by split; only the largest and smallest of many classes."""
    total = {name: sum(by_class[name] for by_class in counts.values()) for name in names}
    shown = list(names)
    title = f"images by class ({sum(total.values()):,})"
    if len(names) > _MOST_BARS:
        ordered = sorted(names, key=lambda name: -total[name])
        shown = ordered[: _MOST_BARS // 2] + ordered[-_MOST_BARS // 2 :]
        title += f": the {_MOST_BARS // 2} largest and smallest of {len(names)}"
    left = np.zeros(len(shown))
    for split, by_class in counts.items():
        width = np.array([by_class[name] for name in shown])
        axis.barh(range(len(shown)), width, left=left, label=split)
        left += width
    axis.set_yticks(range(len(shown)), [_label(name) for name in shown], parse_math=False)
    axis.invert_yaxis()
    axis.set(title=title, xlabel="images")
    if list(counts) != ["all"]:
        axis.figure.legend(loc="outside lower left", ncols=len(counts))


def _label(name: str) -> str:
    """Return a class name, or only its beginning if it is too long."""
    name = drawable(name)
    return name if len(name) <= 24 else f"{name[:23]}\u2026"


def _draw_sizes(axis: Any, summary: Mapping[str, Any]) -> None:
    sizes = summary["sizes"]
    axis.scatter(
        [size["width"] for size in sizes],
        [size["height"] for size in sizes],
        s=[20 + 200 * size["images"] / summary["images"] for size in sizes],
        alpha=0.4,
        clip_on=False,
    )
    axis.set(title=f"sizes ({len(sizes):,} different)", xlabel="width", ylabel="height")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)


def _draw_values(axis: Any, stats: DataStats) -> None:
    mean, deviation = stats.summary["mean"], stats.summary["deviation"]
    colours = ("tab:red", "tab:green", "tab:blue") if len(mean) == 3 else ("grey",)
    axis.bar(range(len(mean)), mean, yerr=deviation, color=colours, capsize=6)
    axis.set_xticks(range(len(mean)), ("red", "green", "blue") if len(mean) == 3 else ("grey",))
    axis.set(title="mean and deviation", ylim=(0, 255), xlabel=stats.pixels)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file, completely or not at all."""
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=120, metadata=DRAWN_BY)
