"""Draw a network as a textbook draws LeNet-5, into an SVG or PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from matplotlib import rc_context
from matplotlib.figure import Figure

from cnnkit.arithmetic import LayerRow, Shape
from cnnkit.files import atomic_write
from cnnkit.output_guard import DRAWN_BY, SVG_DRAWN_BY
from cnnkit.plots.diagram.drawing import draw
from cnnkit.plots.diagram.layout import layout_of
from cnnkit.plots.diagram.steps import steps_of

_DOTS_PER_INCH = 150
_MOST_DOTS = 30_000  # per side; matplotlib cannot draw more than 65,535
# Text stays text, and the same network always gives the same file.
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "cnnkit"}


def plot_diagram(rows: Sequence[LayerRow], input_shape: Shape, path: FilePath) -> None:
    """Draw the network into an SVG or PNG file.

    Args:
        rows: one per layer; the output layer is the last one.
        input_shape: (height, width, channels) of the image.
        path: the file; its extension, .svg or .png, decides the kind.
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
