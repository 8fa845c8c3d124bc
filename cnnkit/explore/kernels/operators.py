"""The classic operators of image processing by name, with their kernels and sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnkit.errors import UsageError, did_you_mean


@dataclass(frozen=True, eq=False)
class Kernel:
    """A matrix that is multiplied with a window of the input, element by element.

    Args:
        weights: (rows, columns) floats, as textbooks write them.
        divisor: the sum of the products is divided by it, so that the weights are whole numbers.
    """

    weights: np.ndarray
    divisor: int = 1

    @property
    def total(self) -> float:
        """Sum of all weights: 1 keeps the brightness of a picture, 0 keeps only changes."""
        return float(self.weights.sum()) / self.divisor


@dataclass(frozen=True, eq=False)
class Operator:
    """One kernel, or two at right angles whose responses are combined to their magnitude.

    Args:
        name: the name that `--kernel` takes.
        kernels: one kernel, or two of the same size.
        sentence: what it does.
        source: where these numbers were published.
    """

    name: str
    kernels: tuple[Kernel, ...]
    sentence: str = "Your own kernel."
    source: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) of its kernels."""
        rows, columns = self.kernels[0].weights.shape
        return rows, columns


def _kernel(weights: Sequence[Sequence[int]], divisor: int = 1) -> Kernel:
    return Kernel(np.array(weights, float), divisor)


def _binomial(centre: int, divisor: int) -> Kernel:
    """Return the 5 x 5 binomial weights with another number in the centre."""
    weights = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(float)
    weights[2, 2] = centre
    return Kernel(weights, divisor)


# x points to the right and y points down, so a result is positive where the picture becomes
# brighter in that direction.
_SOBEL_X = _kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
_SOBEL_Y = _kernel([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
_SCHARR_X = _kernel([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]])
_SCHARR_Y = _kernel([[-3, -10, -3], [0, 0, 0], [3, 10, 3]])
_PREWITT_X = _kernel([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
_PREWITT_Y = _kernel([[-1, -1, -1], [0, 0, 0], [1, 1, 1]])

_WIKIPEDIA = "Wikipedia, Kernel (image processing)"
_SOBEL = "Sobel and Feldman 1968; Wikipedia, Sobel operator"
_SCHARR = "Scharr 2000, dissertation, Heidelberg; OpenCV's Scharr"
_PREWITT = "Prewitt 1970; Wikipedia, Prewitt operator"
_LINES = "Gonzalez and Woods, Digital Image Processing, line detection"

_TABLE = (
    ("identity", [_kernel([[0, 0, 0], [0, 1, 0], [0, 0, 0]])], "Changes nothing.", _WIKIPEDIA),
    (
        "edge_diagonal",
        [_kernel([[1, 0, -1], [0, 0, 0], [-1, 0, 1]])],
        "Edges where the two diagonals differ: corners and oblique edges.",
        _WIKIPEDIA,
    ),
    (
        "laplacian_4",
        [_kernel([[0, 1, 0], [1, -4, 1], [0, 1, 0]])],
        "Edges in all directions: the 4 neighbours minus 4 times the pixel.",
        _WIKIPEDIA,
    ),
    (
        "laplacian_8",
        [_kernel([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])],
        "Edges in all directions: 8 times the pixel minus its 8 neighbours.",
        _WIKIPEDIA,
    ),
    (
        "sharpen",
        [_kernel([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])],
        "The picture minus its Laplacian: edges become stronger.",
        _WIKIPEDIA,
    ),
    (
        "unsharp_5x5",
        [_binomial(-476, -256)],  # 2 - 36/256 in the centre, written over -256
        "Unsharp masking: twice the picture minus its Gaussian blur.",
        _WIKIPEDIA,
    ),
    ("box_blur", [_kernel([[1] * 3] * 3, 9)], "The mean of 3 x 3 pixels.", _WIKIPEDIA),
    (
        "average_5x5",
        [_kernel([[1] * 5] * 5, 25)],
        "The mean of 5 x 5 pixels.",
        "Gonzalez and Woods, Digital Image Processing, box filter",
    ),
    (
        "gaussian_3x3",
        [_kernel([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16)],
        "A blur in which near pixels count more.",
        _WIKIPEDIA,
    ),
    ("gaussian_5x5", [_binomial(36, 256)], "A wider Gaussian blur.", _WIKIPEDIA),
    ("sobel_x", [_SOBEL_X], "Change from left to right, smoothed vertically by 1 2 1.", _SOBEL),
    ("sobel_y", [_SOBEL_Y], "Change from top to bottom, smoothed horizontally by 1 2 1.", _SOBEL),
    ("sobel_magnitude", [_SOBEL_X, _SOBEL_Y], "sqrt(sobel_x^2 + sobel_y^2).", _SOBEL),
    ("scharr_x", [_SCHARR_X], "Like sobel_x with 3 10 3, equal in all directions.", _SCHARR),
    ("scharr_y", [_SCHARR_Y], "Like sobel_y with 3 10 3, equal in all directions.", _SCHARR),
    ("scharr_magnitude", [_SCHARR_X, _SCHARR_Y], "sqrt(scharr_x^2 + scharr_y^2).", _SCHARR),
    ("prewitt_x", [_PREWITT_X], "Change from left to right, summed over three rows.", _PREWITT),
    ("prewitt_y", [_PREWITT_Y], "Change from top to bottom, summed over three columns.", _PREWITT),
    ("prewitt_magnitude", [_PREWITT_X, _PREWITT_Y], "sqrt(prewitt_x^2 + prewitt_y^2).", _PREWITT),
    (
        "line_horizontal",
        [_kernel([[-1, -1, -1], [2, 2, 2], [-1, -1, -1]])],
        "Bright lines one pixel wide, from left to right.",
        _LINES,
    ),
    (
        "line_vertical",
        [_kernel([[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]])],
        "Bright lines one pixel wide, from top to bottom.",
        _LINES,
    ),
    (
        "line_oblique_45",
        [_kernel([[-1, -1, 2], [-1, 2, -1], [2, -1, -1]])],
        "Bright lines one pixel wide that rise to the right, like /.",
        _LINES,
    ),
    (
        "line_oblique_135",
        [_kernel([[2, -1, -1], [-1, 2, -1], [-1, -1, 2]])],
        "Bright lines one pixel wide that fall to the right, like \\.",
        _LINES,
    ),
)

OPERATORS = {row[0]: Operator(row[0], tuple(row[1]), *row[2:]) for row in _TABLE}


def find_operator(name: str) -> Operator:
    """Return the operator with this name.

    Raises:
        UsageError: no operator has it; the message suggests the nearest name.
    """
    if name not in OPERATORS:
        raise UsageError(
            f'--kernel: no operator is called "{name}".{did_you_mean(name, OPERATORS)} '
            "`cnnkit kernels --list` shows them all. A kernel of your own is a matrix such as "
            '"[[0,1,0],[1,-4,1],[0,1,0]]", or a .csv or .yaml file.'
        )
    return OPERATORS[name]
