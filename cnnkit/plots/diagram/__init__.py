"""Rows of layers enter; one drawing of the network leaves, as a textbook would draw LeNet-5."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from matplotlib import rc_context
from matplotlib.figure import Figure

from cnnkit.arithmetic import LayerRow, Shape
from cnnkit.files import DRAWN_BY, SVG_DRAWN_BY, atomic_write
from cnnkit.plots.diagram.drawing import draw
from cnnkit.plots.diagram.layout import layout_of
from cnnkit.plots.diagram.steps import steps_of

_DOTS_PER_INCH = 150
_MOST_DOTS = 30_000  # matplotlib draws no more than 65,535 on a side
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "cnnkit"}  # text stays text; equal files


def plot_diagram(rows: Sequence[LayerRow], input_shape: Shape, path: FilePath) -> None:
    """Draw the network into an SVG or PNG file.

    Args:
        rows: one a layer, the output layer last.
        input_shape: (height, width, channels) of the image.
        path: of the file; its ending, .svg or .png, says which kind.
    """
    kind = path.suffix.lower()[1:]
    steps = steps_of(rows, input_shape)
    layout = layout_of(steps)
    dots = min(_DOTS_PER_INCH, _MOST_DOTS / max(layout.width, layout.height))
    figure = Figure(figsize=(layout.width, layout.height), dpi=dots)
    metadata = {"Date": None, **SVG_DRAWN_BY} if kind == "svg" else DRAWN_BY
    with rc_context(_SVG), atomic_write(path, "wb") as file:
        draw(figure, layout, steps)
        figure.savefig(file, format=kind, metadata=metadata)
