"""Draw several runs together: their curves, and their accuracies with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cnnkit.plots.figures import COLOURS, class_label, save_png_and_svg

_FONT = 14  # readable if the picture is shown at a width of 300 pixels
_STYLES = ("-", "--", ":", "-.")
_CURVES = {"val_loss": "validation loss (nats)", "val_accuracy": "validation accuracy"}
_TRAIN_CURVES = {"train_loss": "training loss (nats)", "train_accuracy": "training accuracy"}


def plot_overlaid_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]], path: Path
) -> None:
    """Draw the loss and the accuracy of several runs over the epochs.

    Args:
        histories: the name of a run -> the rows of its history.csv.
        path: of the PNG file; an SVG file is written next to it.
    """
    columns = _CURVES
    if not all("val_loss" in row for rows in histories.values() for row in rows):
        columns = _TRAIN_CURVES  # a run without validation images has no others
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    for axis, (column, label) in zip(figure.subplots(1, 2), columns.items(), strict=True):
        for index, (name, rows) in enumerate(histories.items()):
            axis.plot(
                [row["epoch"] for row in rows],
                [row[column] for row in rows],
                label=class_label(name),
                color=COLOURS[index % len(COLOURS)],
                linestyle=_STYLES[index // len(COLOURS) % len(_STYLES)],
                linewidth=2,
                zorder=2 + 1 / (1 + len(rows)),  # one run may be the beginning of a longer one
            )
        axis.set_xlabel("epoch", fontsize=_FONT)
        axis.set_ylabel(label, fontsize=_FONT)
        axis.tick_params(labelsize=_FONT)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    lines = axis.get_legend_handles_labels()
    legend = figure.legend(*lines, loc="outside lower center", ncols=3, fontsize=_FONT)
    for text in legend.get_texts():
        text.set_parse_math(False)
    save_png_and_svg(figure, path)


def plot_accuracies(
    names: Sequence[str],
    accuracies: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    groups: Sequence[str],
    path: Path,
) -> None:
    """Draw one dot per run with its interval, the first run on top.

    Args:
        names: of the runs.
        accuracies: in [0, 1].
        intervals: the 95% interval of each.
        groups: for each run what the legend says of it.
        path: of the PNG file; an SVG file is written next to it.
    """
    figure = Figure(figsize=(7.5, 2 + 0.4 * len(names)), layout="constrained")
    axis = figure.subplots()
    for index, group in enumerate(dict.fromkeys(groups)):
        rows = [row for row, other in enumerate(groups) if other == group]
        centre = [accuracies[row] for row in rows]
        # Rounding may put an end of the interval on the wrong side of the dot.
        below = [max(0.0, accuracies[row] - intervals[row][0]) for row in rows]
        above = [max(0.0, intervals[row][1] - accuracies[row]) for row in rows]
        axis.errorbar(
            centre,
            rows,
            xerr=[below, above],
            fmt="osD^"[index % 4],
            color=COLOURS[index % len(COLOURS)],
            capsize=3,
            label=group,
        )
    labels = [class_label(name) for name in names]
    axis.set_yticks(range(len(names)), labels, parse_math=False)
    axis.tick_params(labelsize=_FONT)
    axis.invert_yaxis()
    axis.margins(y=0.4 / len(names))
    axis.set_xlabel("accuracy, with its 95% interval", fontsize=_FONT)
    axis.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=_FONT)
    save_png_and_svg(figure, path)
