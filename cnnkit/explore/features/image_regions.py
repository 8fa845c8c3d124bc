"""Compute which region of the image each position of each map sees.

The result is exact for every position, also at the border. For each axis of a map, the first and
the last pixel that each position sees are tracked; each operation moves, joins or repeats them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.model_graph import Step
from cnnkit.explore.features.windows_and_kernels import window_of

_POINTWISE = frozenset(
    "Activation ReLU Relu Relu6 LeakyReLU LeakyRelu PReLU ELU Elu Softmax "
    "Sigmoid Silu Gelu Swish HardSigmoid HardSilu Tanh Exp Sqrt Square Absolute Negative Clip Cast "
    "BatchNormalization Normalization Rescaling Discretization Dropout SpatialDropout2D Identity "
    "AlphaDropout GaussianDropout GaussianNoise ActivityRegularization Add Subtract Multiply "
    "Average Maximum Minimum Divide TrueDivide Power".split()
)

# Padding sees no pixel. Its first pixel is after its last one, so that the minimum and the maximum
# with other regions are those of the others.
_PADDING = np.array([[1 << 30, -1]])


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of the image that the positions of a map see.

    Args:
        rows: (height of the map, 2), the first and the last image row that each position sees. If a
            position sees only padding, the first one is larger than the last one.
        columns: (width of the map, 2), the same for image columns.
    """

    rows: NDArray
    columns: NDArray

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Return (top, left, bottom, right) of the region that a position sees, all inclusive."""
        (top, bottom), (left, right) = self.rows[row], self.columns[column]
        return int(top), int(left), int(bottom), int(right)


def regions_of(steps: Sequence[Step]) -> list[Regions]:
    """Return the regions of every step's map; a row of numbers is a map of one position.

    An unknown operation is assumed to see its whole input.
    """
    height, width = steps[0].shape[:2]
    regions = [Regions(own_pixels(height), own_pixels(width))]
    for step in steps[1:]:
        below = [regions[position] for position in step.inputs]
        shapes = [steps[position].shape for position in step.inputs]
        rows = _along(step, 0, [one.rows for one in below], shapes)
        columns = _along(step, 1, [one.columns for one in below], shapes)
        regions.append(Regions(rows, columns))
    return regions


def _along(step: Step, axis: int, below: list[NDArray], shapes: list[tuple[int, ...]]) -> NDArray:
    """Return the regions along one axis: 0 for rows, 1 for columns."""
    positions = step.shape[axis] if len(step.shape) == 3 else 1
    if not below:
        return np.zeros((positions, 2), int)
    # From the most exact rule to the least: a window, a known move, its own place, everything.
    window = window_of(step, shapes[0])
    if window is not None and len(shapes[0]) == 3 and not _is_global(step):
        parts = (window.size, window.stride, window.dilation, window.before)
        size, stride, dilation, before = (part[axis] for part in parts)
        return slide(below[0], positions, size, stride, dilation, before)
    move = _MOVES.get(step.kind)
    if move is not None and len(step.shape) == 3:
        return move(step, axis + 1, below)
    if _sees_its_own_place(step, shapes):
        return join(below, positions)
    return see_all(below, positions)


def _is_global(step: Step) -> bool:
    return step.kind.startswith("Global")


def _sees_its_own_place(step: Step, shapes: list[tuple[int, ...]]) -> bool:
    if all(len(shape) == 1 for shape in shapes) and len(step.shape) == 1:
        return True
    if step.kind in ("LayerNormalization", "UnitNormalization", "Flip", "Softmax"):
        # Only over the channels; over other axes every number depends on other places.
        axes = np.atleast_1d(getattr(step.operation, "axis", ()))
        return {int(axis) % (len(step.shape) + 1) for axis in axes} == {len(step.shape)}
    return step.kind in _POINTWISE


def own_pixels(positions: int) -> NDArray:
    """Return the regions of the image itself: each pixel sees itself."""
    return np.repeat(np.arange(positions)[:, None], 2, axis=1)


def slide(
    below: NDArray, positions: int, size: int, stride: int, dilation: int, before: int
) -> NDArray:
    """Return the regions of the output of a window that slides along one axis.

    Args:
        below: (n, 2) regions of the input.
        positions: number of positions of the output.
        size: number of input positions in a window.
        stride: distance from one window to the next.
        dilation: distance between neighbours in the window.
        before: number of padded positions before the first one.

    >>> slide(own_pixels(5), 3, size=3, stride=2, dilation=1, before=1).tolist()
    [[0, 1], [1, 3], [3, 4]]
    """
    # Every position outside the map is replaced by the index of this last row.
    padded = np.vstack([below, _PADDING])
    starts = np.arange(positions)[:, None] * stride - before
    seen = starts + np.arange(size)[None] * dilation
    seen = np.where((seen >= 0) & (seen < len(below)), seen, len(below))
    return np.stack([padded[seen, 0].min(axis=1), padded[seen, 1].max(axis=1)], axis=1)


def join(below: Sequence[NDArray], positions: int) -> NDArray:
    """Return the regions of maps that are combined position by position.

    A map of one position is broadcast to all positions.
    """
    spread = [np.broadcast_to(one, (positions, 2)) for one in below]
    first = np.min([one[:, 0] for one in spread], axis=0)
    return np.stack([first, np.max([one[:, 1] for one in spread], axis=0)], axis=1)


def see_all(below: Sequence[NDArray], positions: int) -> NDArray:
    """Return regions that all see the whole input."""
    first, last = min(one[:, 0].min() for one in below), max(one[:, 1].max() for one in below)
    return np.tile([first, last], (positions, 1))


def _concatenate(step: Step, axis: int, below: list[NDArray]) -> NDArray:
    if step.operation.axis % (len(step.shape) + 1) == axis:
        return np.concatenate(below)
    return join(below, len(below[0]))


def _take(step: Step, axis: int, below: list[NDArray]) -> NDArray:
    if step.operation.axis is None:
        return see_all(below, step.shape[axis - 1])
    if step.operation.axis % (len(step.shape) + 1) != axis:
        return below[0]
    # The indices are the second argument of keras.ops.take, by position or by name.
    given = (*step.node.arguments.args[1:], *step.node.arguments.kwargs.values())
    return below[0][np.asarray(given[0]).reshape(-1)]


def _pad(step: Step, axis: int, below: list[NDArray]) -> NDArray:
    edges = tuple(step.operation.pad_width[axis])
    if step.operation.mode == "constant":
        before, after = (np.tile(_PADDING, (count, 1)) for count in edges)
        return np.vstack([before, below[0], after])
    return below[0][np.pad(np.arange(len(below[0])), edges, mode=step.operation.mode)]


def _up_sample(step: Step, axis: int, below: list[NDArray]) -> NDArray:
    if step.operation.interpolation != "nearest":  # neighbours are mixed
        return see_all(below, step.shape[axis - 1])
    return np.repeat(below[0], step.operation.size[axis - 1], axis=0)


_MOVES: dict[str, Callable[[Step, int, list[NDArray]], NDArray]] = {
    "Concatenate": _concatenate,
    "Take": _take,
    "Pad": _pad,
    "UpSampling2D": _up_sample,
}
