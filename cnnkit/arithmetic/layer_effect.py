"""A layer alone: its output shape, its costs, and the window it looks through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]

WHOLE = "whole"  # each number that leaves depends on every position of the map that enters
UNKNOWN = "unknown"  # which positions it depends on is not a window of one size


@dataclass(frozen=True)
class Window:
    """The window of a layer along each spatial axis.

    Args:
        size: of the window, the holes of its dilation included.
        stride: steps of the window.
        before: positions added before the first one; negative where some are cut off.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]


@dataclass(frozen=True)
class Effect:
    """One layer alone.

    Args:
        shape: of what leaves.
        parameters: trained numbers.
        non_trainable: numbers kept but not trained.
        multiply_adds: for one image.
        window: of each number that leaves, WHOLE, UNKNOWN, or None for the same position alone.
    """

    shape: Shape
    parameters: int = 0
    non_trainable: int = 0
    multiply_adds: int = 0
    window: Window | str | None = None


class UnfitError(Exception):
    """A layer that cannot take the map; `explain` turns it into the user's sentence."""

    def explain(self, name: str, shape: Shape, history: History) -> str:
        """Return what is wrong and what to do, for the layer `name` that met a map."""
        return f"{name}: {self}"


@dataclass(frozen=True)
class History:
    """What errors tell of the way of a map: its sizes so far, and what made it a row of numbers."""

    sizes: tuple[Shape, ...] = ()
    flattened_by: str = ""


class CollapsesError(UnfitError):
    """The window is larger than the map."""

    def explain(self, name: str, shape: Shape, history: History) -> str:
        """Return the sizes on the way here."""
        way = " > ".join(_side(size) for size in history.sizes)
        return (
            f"{name} {self} does not fit: the image is already {times(shape[:-1])} here "
            f"({way}). Remove this layer, use padding: same, or set data.image_size larger."
        )


class NotAMapError(UnfitError):
    """A layer for maps met a row of numbers."""

    def explain(self, name: str, shape: Shape, history: History) -> str:
        """Return which layer made the row."""
        if len(shape) != 1 or not history.flattened_by:
            return f"{name} cannot take {times(shape)}; it needs {self}."
        return (
            f"{name} needs {self}, but {history.flattened_by} before it "
            f"leaves a row of {shape[0]} numbers. Move {name} before {history.flattened_by}."
        )


_FORMS = {
    1: "sequences (steps x channels)",
    2: "maps (height x width x channels)",
    3: "volumes (depth x height x width x channels)",
}


def need_axes(shape: Shape, num_axes: int) -> None:
    """Refuse a shape that has not this many spatial axes besides its channels."""
    if len(shape) != num_axes + 1:
        raise NotAMapError(_FORMS[num_axes])


def _side(size: Shape) -> str:
    return str(size[0]) if len(set(size)) == 1 else times(size)


def spread(value: int | Sequence[int], num_axes: int) -> tuple[int, ...]:
    """Return one number for each axis of an argument that may be one number for all.

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
    return tuple(spread(part, 2) for part in spread(value, num_axes))


def times(shape: Sequence[int]) -> str:
    """Return sizes as people write them.

    >>> times((28, 28, 1))
    '28 x 28 x 1'
    """
    return " x ".join(str(size) for size in shape)


def elements(shape: Shape) -> int:
    """Return how many numbers a shape holds."""
    return math.prod(shape)
