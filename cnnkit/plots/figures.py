"""Save a figure as a PNG or SVG file; what several figures write alike."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from cnnkit.files import atomic_write
from cnnkit.output_guard import DRAWN_BY, SVG_DRAWN_BY
from cnnkit.plots.drawable import drawable

# Okabe and Ito 2008: colours that colour-blind people can tell apart, without the palest one.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file, completely or not at all."""
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=120, metadata=DRAWN_BY)


def save_svg(figure: Figure, path: Path) -> None:
    """Write a figure as an SVG file, completely or not at all."""
    # Without a salt and with a date, the same figure would give another file each time. Text stays
    # text, so that it can be searched and copied.
    with (
        matplotlib.rc_context({"svg.hashsalt": "cnnkit", "svg.fonttype": "none"}),
        atomic_write(path, "wb") as file,
    ):
        figure.savefig(file, format="svg", metadata={"Date": None, **SVG_DRAWN_BY})


def save_png_and_svg(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file, and as an SVG file with the same name next to it."""
    save_figure(figure, path)
    figure.set_layout_engine("none")  # places are kept, and not computed again for the second file
    save_svg(figure, path.with_suffix(".svg"))


def class_label(name: str, most_letters: int = 24) -> str:
    """Return a class name, or only its beginning if it is too long."""
    name = drawable(name)
    return name if len(name) <= most_letters else f"{name[: most_letters - 1]}\u2026"
