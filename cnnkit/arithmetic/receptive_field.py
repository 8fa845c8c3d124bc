"""The receptive field: which region of the image one number of a map sees.

Source: Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks",
distill.pub. For each layer: size += (window - 1) * stride so far; stride *= stride of the layer;
start -= positions added before the map * stride so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnkit.arithmetic.layer_effect import UNKNOWN, Effect, Shape, Window


@dataclass(frozen=True)
class Field:
    """The region of the image that the number at position (0, 0) of a map sees.

    The number at (i, j) sees the same region, moved by i * stride[0] and j * stride[1].

    Args:
        size: (height, width) in pixels, including what is beyond the border of the image.
        stride: (vertical, horizontal) distance in pixels between the regions of neighbours; 0 if
            all numbers see the same.
        start: (row, column) of its first pixel; negative if it is beyond the border.
    """

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    start: tuple[int, int] = (0, 0)


def field_after(field: Field | None, shape: Shape, effect: Effect) -> Field | None:
    """Return the field of a layer's output; None if the regions have different sizes.

    Args:
        field: the field of the input.
        shape: the shape of the input.
        effect: the effect of the layer.
    """
    if field is None or effect.window == UNKNOWN:
        return None
    if effect.window is None:
        return field
    if isinstance(effect.window, Window):
        return _through(field, effect.window) if len(effect.window.size) == 2 else None
    return _whole(field, shape)


def _whole(field: Field, shape: Shape) -> Field:
    if len(shape) != 3:
        return field  # all numbers of a row already see the same region
    moves = zip(shape[:2], field.stride, strict=True)
    # From the first region to the last one; they overlap or touch in any usual network.
    reach = [(positions - 1) * stride for positions, stride in moves]
    return Field((field.size[0] + reach[0], field.size[1] + reach[1]), (0, 0), field.start)


def _through(field: Field, window: Window) -> Field:
    sides = zip(
        field.size,
        field.stride,
        field.start,
        window.size,
        window.stride,
        window.before,
        strict=True,
    )
    found = [
        (size + (positions - 1) * stride, stride * steps, start - before * stride)
        for size, stride, start, positions, steps, before in sides
    ]
    size, stride, start = zip(*found, strict=True)
    return Field(size, stride, start)


def field_of_all(fields: Sequence[Field | None], shape: Shape) -> Field | None:
    """Return the field after a layer that joins several maps of the same size number by number.

    It is the smallest region that contains those of all the maps.

    Args:
        fields: the fields of the maps.
        shape: the shape of each map; its channels do not matter.
    """
    known = [field for field in fields if field is not None]
    if not known or len(known) < len(fields):
        return None
    if any(field.stride == (0, 0) for field in known):  # one branch sees everything everywhere
        known = [_whole(field, shape) for field in known]
    # With different strides, the union of the regions would have another size at each position.
    if len({field.stride for field in known}) > 1 and max(shape[:-1], default=1) > 1:
        return None
    starts = [min(field.start[axis] for field in known) for axis in (0, 1)]
    ends = [max(field.start[axis] + field.size[axis] for field in known) for axis in (0, 1)]
    size = (ends[0] - starts[0], ends[1] - starts[1])
    return Field(size, known[0].stride, (starts[0], starts[1]))
