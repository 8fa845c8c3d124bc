"""Slide a window over a map and convolve or pool what it covers, with NumPy.

A map is a matrix (rows, columns) or a picture (rows, columns, channels). As in a layer of a CNN the
kernel is not flipped: in mathematics this is called the cross-correlation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnkit.arithmetic import CollapsesError, Slide, UnfitError, slides, times
from cnnkit.errors import UsageError
from cnnkit.explore.kernels.operators import Kernel

_MOST_NUMBERS = 50_000_000  # in a map with its border: 400 MB of 64-bit floats
_MOST_PRODUCTS = 10_000_000_000  # takes seconds to a minute
_NUMPY_MODES = {"zeros": "constant", "edge": "edge", "reflect": "reflect"}


@dataclass(frozen=True)
class Sliding:
    """How a window moves over a map. Pairs are (rows, columns).

    Args:
        strides: steps of the window; None for steps as large as the window.
        padding: `valid` (only windows inside the map) or `same` (a border is added, so that the
            output has ceil(size / stride) rows and columns), as in Keras.
        pad: size of a border to add instead; (0, 0) for none.
        pad_mode: what the border contains: `zeros`, `edge` (the nearest value) or `reflect`.
        dilation_rate: distance between neighbours inside the window.
    """

    strides: tuple[int, int] | None = (1, 1)
    padding: str = "valid"
    pad: tuple[int, int] = (0, 0)
    pad_mode: str = "zeros"
    dilation_rate: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class Windows:
    """Every window of a map.

    Args:
        slides: how the window slides over the rows and over the columns.
        values: (output rows, output columns[, channels], window rows, window columns) floats.
        is_real: (output rows, output columns, window rows, window columns); False in the border.
    """

    slides: tuple[Slide, Slide]
    values: np.ndarray
    is_real: np.ndarray


def all_windows(
    values: np.ndarray, size: tuple[int, int], sliding: Sliding, *, fill: float = 0.0
) -> Windows:
    """Return every window of a map, as views that copy no numbers.

    Args:
        values: (rows, columns) or (rows, columns, channels).
        size: (rows, columns) of the window.
        sliding: how the window moves.
        fill: the number in a border of zeros; -inf if zeros would change the result.

    Raises:
        UsageError: the window is larger than the map, the border is larger than what can be
            mirrored, or there are too many numbers.
    """
    rows, columns = _slides(values.shape[:2], size, sliding)
    # Before anything is allocated.
    _check_size(rows, columns, num_channels=values.shape[2] if values.ndim == 3 else 1)
    border = [(rows.before, rows.after), (columns.before, columns.after)]
    mode = _NUMPY_MODES[sliding.pad_mode]
    constant = {"constant_values": fill} if mode == "constant" else {}
    channels = [(0, 0)] * (values.ndim - 2)
    # Floats, because uint8 pixels have no negative differences.
    padded = np.pad(values.astype(float), border + channels, mode, **constant)
    is_real = np.pad(np.ones(values.shape[:2], bool), border)
    return Windows((rows, columns), _cut(padded, rows, columns), _cut(is_real, rows, columns))


def _cut(padded: np.ndarray, rows: Slide, columns: Slide) -> np.ndarray:
    # Windows at every position; the stride keeps some of them, the dilation some numbers of each.
    size = (rows.window, columns.window)
    view = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(0, 1))
    return view[:: rows.stride, :: columns.stride, ..., :: rows.dilation, :: columns.dilation]


def _slides(shape: Sequence[int], size: tuple[int, int], sliding: Sliding) -> tuple[Slide, Slide]:
    arguments = {
        "kernel_size": size,
        "strides": sliding.strides,
        "padding": sliding.padding,
        "dilation_rate": sliding.dilation_rate,
    }
    if any(sliding.pad):
        arguments["pad"] = {"size": sliding.pad, "mode": sliding.pad_mode}
    try:
        # The sizes are those of a conv layer, whose arithmetic wants an axis of channels.
        rows, columns = slides((*shape, 1), arguments)
    except CollapsesError as error:
        raise UsageError(
            f"A window {error} does not fit into a map of {times(shape)}. Add a border with "
            "--padding same or --pad, or use a smaller window or a larger input."
        ) from None
    except UnfitError as error:
        raise UsageError(str(error)) from None
    return rows, columns


def _check_size(rows: Slide, columns: Slide, *, num_channels: int) -> None:
    padded = [slide.before + slide.size + slide.after for slide in (rows, columns)]
    if math.prod(padded) * num_channels > _MOST_NUMBERS:
        raise UsageError(
            f"With its border the map would be {times(padded)}, which is more than "
            f"{_MOST_NUMBERS:,} numbers. Use a smaller border, window or dilation rate."
        )
    products = rows.output * columns.output * rows.kernel * columns.kernel * num_channels
    if products > _MOST_PRODUCTS:
        raise UsageError(
            f"The windows have {products:,} numbers in total, and the limit is "
            f"{_MOST_PRODUCTS:,}. Use a smaller window or input, or a larger stride."
        )


def convolve(windows: Windows, kernel: Kernel) -> np.ndarray:
    """Return the sum of the products of each window and the kernel, for each channel separately.

    Returns:
        (output rows, output columns[, channels]) floats.
    """
    return np.einsum("...kl,kl->...", windows.values, kernel.weights) / kernel.divisor


def pool(windows: Windows, kind: str) -> np.ndarray:
    """Return the largest or the mean value of each window, without the added border.

    Args:
        windows: windows whose border is -inf for `max` and 0 for `average`.
        kind: `max` or `average`.
    """
    if kind == "max":
        return windows.values.max(axis=(-2, -1))
    counts = windows.is_real.sum(axis=(-2, -1))
    sums = windows.values.sum(axis=(-2, -1))
    # For a picture, the counts get a channel axis to divide by.
    return sums / counts.reshape(counts.shape + (1,) * (sums.ndim - 2))
