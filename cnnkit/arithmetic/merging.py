"""The maps that several ways lead to enter; the shape of their sum or concatenation leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cnnkit.arithmetic.effects import History, Shape, UnfitError, times
from cnnkit.arithmetic.graph import Node


def merged_shape(node: Node, shapes: Sequence[Shape]) -> Shape:
    """Return the shape behind one of MERGES; all but Concatenate work number by number.

    Raises:
        UnfitError: the maps do not fit together.
    """
    first = shapes[0]
    if node.kind != "Concatenate":
        if len(set(shapes)) > 1 and node.name in _ADVICE:
            raise _MergeError(_left(node, shapes) + _ADVICE[node.name])
        return tuple(map(max, zip(*shapes, strict=True)))  # of a Keras file: sizes of 1 are spread
    if len({shape[:-1] for shape in shapes}) > 1:
        raise _MergeError(_left(node, shapes) + _ADVICE["branches"])
    return (*first[:-1], sum(shape[-1] for shape in shapes))


class _MergeError(UnfitError):
    def explain(self, name: str, shape: Shape, history: History) -> str:
        return str(self)


_ADVICE = {
    "residual": "Use padding: same inside, and the same strides and filters on both ways.",
    "branches": "Use padding: same and the same strides in each, and for merge: add the same "
    "filters.",
}


def _left(node: Node, shapes: Sequence[Shape]) -> str:
    if node.name == "residual":
        carried, inside = map(times, shapes)
        return f"the shortcut gives {carried} but the layers inside give {inside}. "
    return f"the stacks end with different maps: {', '.join(map(times, shapes))}. "


def projection(node: Node, start: Shape, end: Shape) -> Node:
    """Return the 1 x 1 convolution in place of a shortcut between different shapes.

    Args:
        node: of kind Shortcut.
        start: shape that enters the block.
        end: shape that leaves the layers inside it.

    Raises:
        UnfitError: no stride leads from one to the other.
    """
    strides = [math.ceil(a / b) for a, b in zip(start[:-1], end[:-1], strict=False)]
    reached = [math.ceil(a / s) for a, s in zip(start[:-1], strides, strict=True)]
    if len(start) != 3 or len(end) != 3 or reached != list(end[:-1]):
        raise _MergeError(
            f"the shortcut carries {times(start)} but the layers inside give {times(end)}, and no "
            "1 x 1 convolution leads from one to the other. Use padding: same inside the block."
        )
    given = {"filters": end[-1], "kernel_size": 1, "strides": strides, "padding": "same"}
    defaults = {"dilation_rate": 1, "groups": 1, "use_bias": True}
    return replace(node, kind="Conv2D", inputs=node.inputs[:1], given=given,
                   arguments={**defaults, **given})  # fmt: skip
