"""What one layer does to a map: output shape, costs, window; and why it may not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]

WHOLE = "whole"  # each output number depends on every position of the input map
UNKNOWN = "unknown"  # the positions that it depends on are not a window of one size


@dataclass(frozen=True)
class Window:
    """The window of a layer along each spatial axis.

    Args:
        size: size of the window, including the holes of its dilation.
        stride: steps of the window.
        before: number of positions added before the first one; negative if some are cut off.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]


@dataclass(frozen=True)
class Effect:
    """What one layer does to its input.

    Args:
        shape: shape of the output.
        parameters: number of trained weights.
        non_trainable: number of weights that gradients do not change.
        multiply_adds: for one image.
        window: the window of each output number, WHOLE or UNKNOWN; None if it depends only on the
            same position of the input.
    """

    shape: Shape
    parameters: int = 0
    non_trainable: int = 0
    multiply_adds: int = 0
    window: Window | str | None = None


class UnfitError(Exception):
    """A layer cannot take its input; `explain` makes the message for the user."""

    def explain(self, name: str, shape: Shape, history: History) -> str:
        """Return what is wrong and what to do.

        Args:
            name: name of the layer.
            shape: shape of its input.
            history: what happened to the map before.
        """
        return f"{name}: {self}"


@dataclass(frozen=True)
class History:
    """The path of a map, for error messages.

    Args:
        sizes: its different sizes so far, without channels.
        flattened_by: name of the layer that made it a row of numbers; "" if it is still a map.
    """

    sizes: tuple[Shape, ...] = ()
    flattened_by: str = ""


class CollapsesError(UnfitError):
    """The window is larger than the map."""

    def explain(self, name: str, shape: Shape, history: History) -> str:
        """Return the sizes of the map up to here."""
        way = " > ".join(_side(size) for size in history.sizes)
        return (
            f"{name} {self} does not fit: the image is already {times(shape[:-1])} here "
            f"({way}). Remove this layer, use padding: same, or increase data.image_size."
        )


class NotAMapError(UnfitError):
    """A layer that needs a map was given a row of numbers, or a map of another number of axes."""

    def explain(self, name: str, shape: Shape, history: History) -> str:
        """Return which layer made the map a row of numbers."""
        if len(shape) != 1 or not history.flattened_by:
            return f"{name} cannot take {times(shape)}; it needs {self}."
        return (
            f"{name} needs {self}, but {history.flattened_by} before it "
            f"returns a row of {shape[0]} numbers. Move {name} before {history.flattened_by}."
        )


_FORMS = {
    1: "sequences (steps x channels)",
    2: "maps (height x width x channels)",
    3: "volumes (depth x height x width x channels)",
}


def need_axes(shape: Shape, num_axes: int) -> None:
    """Refuse a shape that does not have this many spatial axes in addition to its channels."""
    if len(shape) != num_axes + 1:
        raise NotAMapError(_FORMS[num_axes])


def _side(size: Shape) -> str:
    return str(size[0]) if len(set(size)) == 1 else times(size)


def spread(value: int | Sequence[int], num_axes: int) -> tuple[int, ...]:
    """Return one number per axis for an argument that may be one number for all axes.

    >>> spread(3, 2)
    (3, 3)
    """
    return (value,) * num_axes if isinstance(value, int) else tuple(value)


def borders(value: Any, num_axes: int) -> tuple[tuple[int, int], ...]:
    """Return (before, after) for each axis of a border such as 1, [1, 2] or [[1, 2], [0, 3]].

    >>> borders([[1, 2], [0, 3]], 2)
    ((1, 2), (0, 3))
    >>> borders([1, 2], 1)
    ((1, 2),)
    """
    if num_axes == 1 and not isinstance(value, int) and len(value) == 2:
        return ((value[0], value[1]),)
    pairs = (spread(part, 2) for part in spread(value, num_axes))
    return tuple((before, after) for before, after in pairs)


def times(shape: Sequence[int]) -> str:
    """Return sizes as people write them, for example 28 x 28 x 1.

    >>> times((28, 28, 1))
    '28 x 28 x 1'
    """
    return " x ".join(str(size) for size in shape)


def elements(shape: Shape) -> int:
    """Return how many numbers a map of this shape has."""
    return math.prod(shape)
