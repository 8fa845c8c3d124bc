"""A stage or an operator enters; the titled cell of a drawing that shows it leaves."""

from __future__ import annotations

import numpy as np

from cnnkit.arithmetic.effects import times
from cnnkit.explore.kernels.numbers import matrix_lines, number_text
from cnnkit.explore.kernels.operators import Operator
from cnnkit.explore.kernels.stages import Stage
from cnnkit.plots.matrix_pictures import Tile

_WHITE = 255
_UNCLIPPED = 0.995  # share of the numbers


def tile_of(stage: Stage, *, keeps_brightness: bool) -> Tile:
    """Return the picture of what stands after a step, with its size and reach of numbers.

    Args:
        stage: of a picture, (rows, columns, channels).
        keeps_brightness: as in `shown_range`.
    """
    black, white = shown_range(stage.output, keeps_brightness=keeps_brightness)
    scaled = (stage.output - black) * (_WHITE / (white - black))
    pixels = np.rint(scaled.clip(0, _WHITE)).astype(np.uint8)
    reach = f"{_short(stage.output.min())} to {_short(stage.output.max())}"
    caption = f"{times(stage.output.shape[:2])}: {reach}\nshown: {_short(black)} to {_short(white)}"
    title = stage.operator.name if stage.operator else f"after {stage.name}"
    return Tile(title, caption, pixels)


def shown_range(values: np.ndarray, *, keeps_brightness: bool) -> tuple[float, float]:
    """Return the numbers that are drawn black and white; what lies outside is clipped.

    Args:
        values: numbers of any shape.
        keeps_brightness: they are grey levels: 0 and 255. Otherwise 0 is black where no number is
            negative, and middle grey where one is; 0.5% of the numbers may be clipped, so that
            a few strong edges do not leave the rest grey.
    """
    if keeps_brightness:
        return 0.0, float(_WHITE)
    strength = np.abs(values)
    white = float(np.quantile(strength, _UNCLIPPED)) or float(strength.max()) or 1.0
    return (-white if values.min() < 0 else 0.0), white


def _short(value: float) -> str:
    return number_text(float(round(value) if abs(value) >= 10 else round(value, 2)))


def kernel_tile(operator: Operator) -> Tile:
    """Return the matrices of an operator as a cell of text."""
    matrices = ["\n".join(matrix_lines(kernel.weights)) for kernel in operator.kernels]
    first = operator.kernels[0]
    divided = f", divided by {first.divisor}" if first.divisor != 1 else ""
    note = "two, combined to the magnitude"
    if len(matrices) == 1:
        note = f"the weights add up to {number_text(first.total)}"
    return Tile("kernel", f"{times(operator.size)}{divided}\n{note}", "\n\n".join(matrices))
