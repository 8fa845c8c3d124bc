"""Draw how long models take for an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cnnkit.plots.drawable import drawable
from cnnkit.plots.figures import COLOURS, save_figure, save_svg

_MARKERS = "os^Dv"


def plot_benchmark(
    names: Sequence[str],
    facts: Sequence[str],
    threads: Sequence[int],
    times: Sequence[Sequence[tuple[float, float] | None]],
    path: Path,
) -> None:
    """Draw a row per model: for each number of cores, the median time and a line to p99.

    Args:
        names: of the models.
        facts: a line about each of them.
        threads: the numbers of cores.
        times: for each model and number of cores, (p50, p99) of one image in milliseconds; None if
            it could not be measured.
        path: a PNG or SVG file.
    """
    figure = Figure(figsize=(8, 1.2 + 0.55 * len(names)), layout="constrained")
    axis = figure.subplots()
    step = 0.5 / max(1, len(threads))
    for place, number in enumerate(threads):
        known = [(row, one[place]) for row, one in enumerate(times) if one[place] is not None]
        offset = (place - (len(threads) - 1) / 2) * step
        places = [row + offset for row, _ in known]
        colour = COLOURS[place % len(COLOURS)]
        medians, ends = ([each[i] for _, each in known] for i in (0, 1))
        axis.hlines(places, medians, ends, color=colour, linewidth=1.5)
        axis.plot(
            medians,
            places,
            _MARKERS[place % len(_MARKERS)],
            color=colour,
            label=f"{number} core{'s' if number > 1 else ''}",
        )
    labels = [f"{drawable(name)}\n{about}" for name, about in zip(names, facts, strict=True)]
    axis.set_yticks(range(len(names)), labels)
    axis.set_ylim(len(names) - 0.5, -0.5)  # the first model is at the top
    axis.set(xscale="log", xlabel="milliseconds per image (line: up to p99)")
    axis.grid(axis="x", which="both", alpha=0.3)
    axis.xaxis.set_major_formatter("{x:g}")
    # Above the axis: there is no corner that is empty for all models.
    figure.legend(loc="outside upper center", ncols=len(threads))
    (save_svg if path.suffix.lower() == ".svg" else save_figure)(figure, path)
