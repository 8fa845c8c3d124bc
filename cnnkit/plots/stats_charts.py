"""Draw the counts, sizes and channel means of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from cnnkit.plots.figures import class_label, save_figure

if TYPE_CHECKING:
    from cnnkit.data.stats import DataStats

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
    axis.set_yticks(range(len(shown)), [class_label(name) for name in shown], parse_math=False)
    axis.invert_yaxis()
    axis.set(title=title, xlabel="images")
    if list(counts) != ["all"]:
        axis.figure.legend(loc="outside lower left", ncols=len(counts))


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
