"""Draw rows of small images with captions, magnified so that single pixels can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cnnkit.plots.drawable import drawable
from cnnkit.plots.figures import save_figure

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
