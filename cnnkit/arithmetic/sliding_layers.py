"""The effects of layers that slide a window over a map, and of other layers that need a map.

Each function takes the input shape, all arguments and the number of spatial axes (1 to 3).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnkit.arithmetic.layer_effect import (
    UNKNOWN,
    WHOLE,
    CollapsesError,
    Effect,
    Shape,
    UnfitError,
    Window,
    borders,
    elements,
    need_axes,
    spread,
    times,
)

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Slide:
    """How a window slides along one axis.

    Args:
        size: number of positions of the input.
        kernel: number of positions in the window.
        dilation: distance between neighbours in the window.
        stride: step size of the window.
        before: number of positions added before the first one.
        after: number of positions added after the last one.
        padding: valid, same or causal, which decided `before` and `after`; or explicit.
    """

    size: int
    kernel: int
    dilation: int
    stride: int
    before: int
    after: int
    padding: str

    @property
    def window(self) -> int:
        """Number of positions from the first to the last one of the window."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def output(self) -> int:
        """Number of positions where the window fits; 0 or less if it does not fit at all."""
        return (self.size + self.before + self.after - self.window) // self.stride + 1


def slides(shape: Shape, arguments: Arguments) -> tuple[Slide, ...]:
    """Return how the window of a convolution or pooling slides along each spatial axis.

    Raises:
        CollapsesError: the window is larger than the map.
    """
    num_axes = len(shape) - 1
    kernel = spread(arguments.get("kernel_size", arguments.get("pool_size")), num_axes)
    strides = arguments["strides"]
    strides = kernel if strides is None else spread(strides, num_axes)  # pooling: windows touch
    dilation = spread(arguments.get("dilation_rate", 1), num_axes)
    pad = arguments.get("pad")
    border = borders(pad["size"], num_axes) if pad else ()
    added = border or (None,) * num_axes
    found = tuple(
        _slide(*parts, arguments["padding"])
        for parts in zip(shape[:-1], kernel, dilation, strides, added, strict=True)
    )
    if pad and pad["mode"] == "reflect":
        _check_reflection(shape, border)
    if min(slide.output for slide in found) < 1:
        raise CollapsesError(f"of {times([slide.window for slide in found])}")
    return found


def _slide(
    size: int, kernel: int, dilation: int, stride: int, added: tuple[int, int] | None, padding: str
) -> Slide:
    window = (kernel - 1) * dilation + 1
    before, after = 0, 0
    if added:
        (before, after), padding = added, "explicit"
    elif padding == "same":
        # Enough for ceil(size / stride) outputs. TensorFlow puts the odd one after the map.
        total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
        before, after = total // 2, total - total // 2
    elif padding == "causal":  # an output must not see later steps of a sequence
        before = window - 1
    return Slide(size, kernel, dilation, stride, before, after, padding)


def _check_reflection(shape: Shape, added: tuple[tuple[int, int], ...]) -> None:
    for size, border in zip(shape[:-1], added, strict=True):
        if max(border) >= size:
            raise UnfitError(
                f"pad with mode: reflect can mirror at most {size - 1} of the {size} positions "
                f"here, not {max(border)}. Use mode: edge, or a smaller size."
            )


def _window(found: tuple[Slide, ...]) -> Window:
    return Window(
        tuple(slide.window for slide in found),
        tuple(slide.stride for slide in found),
        tuple(slide.before for slide in found),
    )


def _size(found: tuple[Slide, ...]) -> Shape:
    return tuple(slide.output for slide in found)


def _kernel(found: tuple[Slide, ...]) -> int:
    return math.prod(slide.kernel for slide in found)


def conv(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of a convolution."""
    need_axes(shape, num_axes)
    filters, groups = arguments["filters"], arguments["groups"]
    if shape[-1] % groups or filters % groups:
        raise UnfitError(
            f"groups={groups} must divide both the {shape[-1]} channels of its input and the "
            f"{filters} filters."
        )
    _check_strides(arguments)
    found = slides(shape, arguments)
    # A filter sees only the channels of its group. Each weight is used once per output position.
    weights = _kernel(found) * (shape[-1] // groups) * filters
    return Effect(
        (*_size(found), filters),
        weights + filters * arguments["use_bias"],
        multiply_adds=weights * elements(_size(found)),
        window=_window(found),
    )


def _check_strides(arguments: Arguments) -> None:
    strides, dilation = arguments["strides"], arguments["dilation_rate"]
    if max(spread(strides, 1)) > 1 and max(spread(dilation, 1)) > 1:
        raise UnfitError(
            f"strides of {strides} and dilation_rate of {dilation} cannot be combined in Keras. "
            "Set one of them to 1."
        )


def depthwise(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of a convolution that keeps the channels separate."""
    need_axes(shape, num_axes)
    channels = shape[-1] * arguments["depth_multiplier"]
    found = slides(shape, arguments)
    weights = _kernel(found) * channels
    return Effect(
        (*_size(found), channels),
        weights + channels * arguments["use_bias"],
        multiply_adds=weights * elements(_size(found)),
        window=_window(found),
    )


def separable(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of a depthwise convolution followed by a 1 x 1 convolution."""
    first = depthwise(shape, {**arguments, "use_bias": False}, num_axes)
    filters = arguments["filters"]
    point = first.shape[-1] * filters
    return replace(
        first,
        shape=(*first.shape[:-1], filters),
        parameters=first.parameters + point + filters * arguments["use_bias"],
        multiply_adds=first.multiply_adds + point * elements(first.shape[:-1]),
    )


def transposed(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of a transposed convolution, which enlarges a map."""
    need_axes(shape, num_axes)
    _check_strides(arguments)
    kernel = spread(arguments["kernel_size"], num_axes)
    names = ("strides", "dilation_rate")
    strides, dilation = (spread(arguments[name], num_axes) for name in names)
    given = arguments["output_padding"]
    if given is not None and any(map(operator.ge, spread(given, num_axes), strides)):
        raise UnfitError(f"output_padding of {given} must be less than strides on every axis.")
    extra = (None,) * num_axes if given is None else spread(given, num_axes)
    size = tuple(
        _enlarged(n, (k - 1) * d + 1, s, e, arguments["padding"])
        for n, k, d, s, e in zip(shape[:-1], kernel, dilation, strides, extra, strict=True)
    )
    weights = math.prod(kernel) * shape[-1] * arguments["filters"]
    return Effect(
        (*size, arguments["filters"]),
        weights + arguments["filters"] * arguments["use_bias"],
        # Each input position is multiplied with the whole kernel and added to the output.
        multiply_adds=weights * elements(shape[:-1]),
        window=UNKNOWN,
    )


def _enlarged(size: int, window: int, stride: int, extra: int | None, padding: str) -> int:
    """Return the output size of a transposed convolution; `extra` is its output_padding.

    Source: Keras, `compute_conv_transpose_output_shape`.
    """
    if extra is None:
        return size * stride + (max(window - stride, 0) if padding == "valid" else 0)
    return (size - 1) * stride + (window if padding == "valid" else window % 2) + extra


def pool(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of max or average pooling."""
    need_axes(shape, num_axes)
    found = slides(shape, arguments)
    return Effect((*_size(found), shape[-1]), window=_window(found))


def global_pool(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of pooling a whole map."""
    need_axes(shape, num_axes)
    kept = (1,) * num_axes if arguments["keepdims"] else ()
    return Effect((*kept, shape[-1]), window=WHOLE)


def zero_padding(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of a border of zeros."""
    need_axes(shape, num_axes)
    added = borders(arguments["padding"], num_axes)
    size = tuple(n + before + after for n, (before, after) in zip(shape[:-1], added, strict=True))
    return Effect((*size, shape[-1]), window=_moved([before for before, _ in added]))


def cropping(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of cutting off a border."""
    need_axes(shape, num_axes)
    cut = borders(arguments["cropping"], num_axes)
    size = tuple(n - before - after for n, (before, after) in zip(shape[:-1], cut, strict=True))
    if min(size) < 1:
        raise CollapsesError(f"of {times([sum(pair) for pair in cut])}")
    return Effect((*size, shape[-1]), window=_moved([-before for before, _ in cut]))


def up_sampling(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of repeating or interpolating each position."""
    need_axes(shape, num_axes)
    factors = spread(arguments["size"], num_axes)
    size = tuple(n * factor for n, factor in zip(shape[:-1], factors, strict=True))
    return Effect((*size, shape[-1]), window=UNKNOWN)


def spatial_dropout(shape: Shape, arguments: Arguments, num_axes: int) -> Effect:
    """Return the effect of a layer that needs maps and does not change their shape."""
    need_axes(shape, num_axes)
    return Effect(shape)


def _moved(before: list[int]) -> Window:
    ones = (1,) * len(before)
    return Window(ones, ones, tuple(before))
