"""Find the window that a layer slides over the map below it, and the kernel it multiplies with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.model_graph import Step

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")
_POOLS = {"MaxPooling2D": "max", "AveragePooling2D": "mean"}
_GLOBAL_POOLS = {"GlobalMaxPooling2D": "max", "GlobalAveragePooling2D": "mean"}


@dataclass(frozen=True)
class Window:
    """Which positions of the map below one position looks at. Pairs are (vertical, horizontal).

    Position i looks at `i * stride - before + k * dilation` for k in range(size). Positions outside
    the map are padding.
    """

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)


def is_convolution(step: Step) -> bool:
    """Return whether a step is a Conv2D, DepthwiseConv2D or SeparableConv2D, channels last."""
    return step.kind in CONVOLUTIONS and step.operation.data_format == "channels_last"


def pool_of(step: Step) -> str | None:
    """Return `max` or `mean` for a pooling layer, else None."""
    if getattr(step.operation, "data_format", None) != "channels_last":
        return None
    return {**_POOLS, **_GLOBAL_POOLS}.get(step.kind)


def window_of(step: Step, below: tuple[int, ...]) -> Window | None:
    """Return the window of a convolution, pooling, dense, padding or cropping layer, else None.

    Args:
        step: the layer.
        below: shape of its input, (height, width, channels) or (numbers,).
    """
    layer = step.operation
    if is_convolution(step):
        size = _pair(layer.kernel_size)
        return _sliding(size, _pair(layer.strides), _pair(layer.dilation_rate), layer, below)
    if step.kind == "Dense":
        return Window()
    if step.kind in _GLOBAL_POOLS and pool_of(step):
        return Window(size=(below[0], below[1]))
    if pool_of(step):
        return _sliding(_pair(layer.pool_size), _pair(layer.strides), (1, 1), layer, below)
    if step.kind in ("ZeroPadding2D", "Cropping2D") and layer.data_format == "channels_last":
        edges = layer.padding if step.kind == "ZeroPadding2D" else layer.cropping
        sign = 1 if step.kind == "ZeroPadding2D" else -1
        # Padding moves every position, cropping moves it the other way.
        return Window(before=(sign * edges[0][0], sign * edges[1][0]))
    return None


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _sliding(
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    layer: object,
    below: tuple[int, ...],
) -> Window:
    before = (0, 0)
    if layer.padding == "same":
        sides = zip(below[:2], size, stride, dilation, strict=True)
        down, across = (_before(*side) for side in sides)
        before = (down, across)
    return Window(size, stride, dilation, before)


def _before(positions: int, size: int, stride: int, dilation: int) -> int:
    """Return the padding before the map; if the total is odd, the larger half is after it.

    Source: TensorFlow's "SAME", tensorflow.org/api_docs/python/tf/nn (notes on padding).
    """
    outputs = -(-positions // stride)
    total = max((outputs - 1) * stride + (size - 1) * dilation + 1 - positions, 0)
    return total // 2


@dataclass(frozen=True, eq=False)
class Kernel:
    """The weights of a layer that multiplies and sums.

    Args:
        weights: (height, width, channels per group, filters).
        bias: (filters,).
        groups: filter f sees only the channels of group `f // (filters / groups)`.
    """

    weights: NDArray
    bias: NDArray
    groups: int = 1


def kernel_of(step: Step) -> Kernel | None:
    """Return the kernel of a convolution or dense layer, else None.

    A depthwise layer is a convolution with one group per channel. A separable layer equals one
    convolution whose kernel is the product of its two kernels.
    """
    layer = step.operation
    if step.kind == "Dense":
        # A dense layer is a convolution with a 1 x 1 kernel on a map of one position.
        weights = np.asarray(layer.kernel)[None, None]
        return Kernel(weights, _bias(layer, weights.shape[-1]))
    if not is_convolution(step):
        return None
    if step.kind == "Conv2D":
        weights = np.asarray(layer.kernel)
        return Kernel(weights, _bias(layer, weights.shape[-1]), layer.groups)
    if step.kind == "DepthwiseConv2D":
        depthwise = np.asarray(layer.kernel)
        height, width, channels, multiplier = depthwise.shape
        weights = depthwise.reshape(height, width, 1, channels * multiplier)
        return Kernel(weights, _bias(layer, weights.shape[-1]), channels)
    # The 1 x 1 kernel mixes the outputs of the depthwise one, channel c and multiplier m.
    depthwise = np.asarray(layer.depthwise_kernel)
    pointwise = np.asarray(layer.pointwise_kernel)[0, 0]
    pointwise = pointwise.reshape(*depthwise.shape[2:], -1)
    weights = np.einsum("hwcm,cmf->hwcf", depthwise, pointwise)
    return Kernel(weights, _bias(layer, weights.shape[-1]))


def _bias(layer: object, filters: int) -> NDArray:
    return np.asarray(layer.bias) if layer.bias is not None else np.zeros(filters, np.float32)
