"""The shape where several branches meet, and the projection of a shortcut that does not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cnnkit.arithmetic.layer_effect import History, Shape, UnfitError, times
from cnnkit.arithmetic.nodes import Node


def merged_shape(node: Node, shapes: Sequence[Shape]) -> Shape:
    """Return the output shape of one of MERGES; all but Concatenate work number by number.

    Raises:
        UnfitError: the maps do not fit together.
    """
    first = shapes[0]
    if node.kind != "Concatenate":
        if len(set(shapes)) > 1 and node.name in _ADVICE:
            raise _MergeError(_left(node, shapes) + _ADVICE[node.name])
        return _spread(shapes)
    if len({shape[:-1] for shape in shapes}) > 1:
        raise _MergeError(_left(node, shapes) + _ADVICE["branches"])
    return (*first[:-1], sum(shape[-1] for shape in shapes))


def _spread(shapes: Sequence[Shape]) -> Shape:
    """Return the common shape of maps, with axes of size 1 and missing ones broadcast."""
    axes = max(map(len, shapes))
    filled = [(1,) * (axes - len(shape)) + shape for shape in shapes]
    return tuple(map(max, zip(*filled, strict=True)))


class _MergeError(UnfitError):
    def explain(self, name: str, shape: Shape, history: History) -> str:
        return str(self)


_ADVICE = {
    "residual": "Use padding: same inside, and the same strides and filters on both branches.",
    "branches": "Use padding: same and the same strides in each branch; merge: add also needs the "
    "same filters.",
}


def _left(node: Node, shapes: Sequence[Shape]) -> str:
    if node.name == "residual":
        carried, inside = map(times, shapes)
        return f"the shortcut gives {carried}, but the layers inside give {inside}. "
    return f"the branches end with different maps: {', '.join(map(times, shapes))}. "


def projection(node: Node, start: Shape, end: Shape) -> Node:
    """Return the 1 x 1 convolution that replaces a shortcut between different shapes.

    Args:
        node: a node of kind Shortcut.
        start: the input shape of the block.
        end: the output shape of the layers inside it.

    Raises:
        UnfitError: no stride leads from one shape to the other.
    """
    strides = _strides(start, end)
    if strides is None:
        raise _MergeError(
            f"the shortcut gives {times(start)}, but the layers inside give {times(end)}, and no "
            "1 x 1 convolution leads from one to the other. Use padding: same inside the block, "
            "or write its shortcut yourself."
        )
    given = {"filters": end[-1], "kernel_size": 1, "strides": strides, "padding": "same"}
    defaults = {"dilation_rate": 1, "groups": 1, "use_bias": True}
    return replace(node, kind="Conv2D", inputs=node.inputs[:1], given=given,
                   arguments={**defaults, **given})  # fmt: skip


def _strides(start: Shape, end: Shape) -> list[int] | None:
    """Return the strides that lead from one map size to the other; None if there are none."""
    if len(start) != 3 or len(end) != 3:
        return None
    # With padding: same, a convolution turns size a into ceil(a / stride).
    strides = [math.ceil(a / b) for a, b in zip(start[:2], end[:2], strict=True)]
    reached = [math.ceil(a / s) for a, s in zip(start[:2], strides, strict=True)]
    return strides if reached == list(end[:2]) else None
