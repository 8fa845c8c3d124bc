"""The input shape and the arguments of one layer enter; its output shape, costs and window leave.

One function a kind of layer: (shape, full arguments) -> Effect. A layer that is not in EFFECTS
is one that only Keras knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Effect:
    """One layer alone: its output shape and costs, its window and its stride."""

    shape: Shape
    parameters: int = 0
    non_trainable: int = 0
    multiply_adds: int = 0
    window: tuple[int, int] | None = (1, 1)  # None: sees everything that came before
    stride: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class MapState:
    """The state on the way through a stack."""

    shape: Shape | None
    field: tuple[int, int] | None = (1, 1)
    jump: tuple[int, int] = (1, 1)
    sizes: tuple[tuple[int, int], ...] = ()
    flattened_by: str = ""


class UnfitError(Exception):
    """A layer that cannot take the map; `explain` turns it into the user's sentence."""

    def explain(self, name: str, state: MapState) -> str:
        """Return what is wrong and what to do, for the layer `name` that met the map `state`."""
        return f"{name}: {self}"


class _CollapsesError(UnfitError):
    def explain(self, name: str, state: MapState) -> str:
        way = " > ".join(f"{h}" if h == w else f"{h} x {w}" for h, w in state.sizes)
        return (
            f"{name} {self} does not fit: the image is already {times(state.shape[:2])} here "
            f"({way}). Remove this layer, use padding: same, or set data.image_size larger."
        )


class _NotAMapError(UnfitError):
    def explain(self, name: str, state: MapState) -> str:
        return (
            f"{name} needs maps (height x width x channels), but {state.flattened_by} before it "
            f"leaves a row of {state.shape[0]} numbers. Move {name} before {state.flattened_by}."
        )


def _conv(shape: Shape, args: Mapping[str, Any]) -> Effect:
    _need_map(shape)
    filters, groups = args["filters"], args["groups"]
    if shape[2] % groups or filters % groups:
        raise UnfitError(
            f"groups={groups} must divide both the {shape[2]} channels that come in and the "
            f"{filters} filters."
        )
    size, window, strides = _slide(shape, args, "kernel_size")
    weights = math.prod(pair(args["kernel_size"])) * (shape[2] // groups) * filters
    return Effect(
        (*size, filters),
        weights + filters * args["use_bias"],
        multiply_adds=weights * math.prod(size),
        window=window,
        stride=strides,
    )


def _depthwise(shape: Shape, args: Mapping[str, Any]) -> Effect:
    _need_map(shape)
    channels = shape[2] * args["depth_multiplier"]
    size, window, strides = _slide(shape, args, "kernel_size")
    weights = math.prod(pair(args["kernel_size"])) * channels
    return Effect(
        (*size, channels),
        weights + channels * args["use_bias"],
        multiply_adds=weights * math.prod(size),
        window=window,
        stride=strides,
    )


def _separable(shape: Shape, args: Mapping[str, Any]) -> Effect:
    depthwise = _depthwise(shape, {**args, "use_bias": False})
    filters = args["filters"]
    point = depthwise.shape[2] * filters
    return replace(
        depthwise,
        shape=(*depthwise.shape[:2], filters),
        parameters=depthwise.parameters + point + filters * args["use_bias"],
        multiply_adds=depthwise.multiply_adds + point * math.prod(depthwise.shape[:2]),
    )


def _pool(shape: Shape, args: Mapping[str, Any]) -> Effect:
    _need_map(shape)
    strides = args["strides"] if args["strides"] is not None else args["pool_size"]
    size, window, strides = _slide(shape, {**args, "strides": strides}, "pool_size")
    return Effect((*size, shape[2]), window=window, stride=strides)


def _global_pool(shape: Shape, args: Mapping[str, Any]) -> Effect:
    _need_map(shape)
    return Effect((1, 1, shape[2]) if args["keepdims"] else shape[2:], window=None)


def _flatten(shape: Shape, args: Mapping[str, Any]) -> Effect:
    return Effect((math.prod(shape),), window=None)


def _dense(shape: Shape, args: Mapping[str, Any]) -> Effect:
    units = args["units"]
    return Effect(
        (*shape[:-1], units),
        (shape[-1] + args["use_bias"]) * units,
        multiply_adds=math.prod(shape) * units,
        window=(1, 1) if len(shape) == 3 else None,
    )


def _unchanged(shape: Shape, args: Mapping[str, Any]) -> Effect:
    return Effect(shape)


def _unchanged_map(shape: Shape, args: Mapping[str, Any]) -> Effect:
    _need_map(shape)
    return Effect(shape)


def _batch_norm(shape: Shape, args: Mapping[str, Any]) -> Effect:
    size = shape[args["axis"] if args["axis"] < 0 else args["axis"] - 1]
    return Effect(shape, size * (args["scale"] + args["center"]), 2 * size)


def _zero_padding(shape: Shape, args: Mapping[str, Any]) -> Effect:
    _need_map(shape)
    (top, bottom), (left, right) = _borders(args["padding"])
    return Effect((shape[0] + top + bottom, shape[1] + left + right, shape[2]))


def _cropping(shape: Shape, args: Mapping[str, Any]) -> Effect:
    _need_map(shape)
    (top, bottom), (left, right) = _borders(args["cropping"])
    size = (shape[0] - top - bottom, shape[1] - left - right)
    if min(size) < 1:
        raise _CollapsesError(f"of {top + bottom} x {left + right}")
    return Effect((*size, shape[2]))


EFFECTS: dict[str, Callable[[Shape, Mapping[str, Any]], Effect]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "GlobalMaxPooling2D": _global_pool,
    "GlobalAveragePooling2D": _global_pool,
    "Flatten": _flatten,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "ZeroPadding2D": _zero_padding,
    "Cropping2D": _cropping,
    "SpatialDropout2D": _unchanged_map,
    **dict.fromkeys(
        (
            "Activation ReLU LeakyReLU ELU Softmax Identity Dropout AlphaDropout GaussianDropout "
            "GaussianNoise ActivityRegularization UnitNormalization Rescaling"
        ).split(),
        _unchanged,
    ),
}


def _need_map(shape: Shape) -> None:
    if len(shape) != 3:
        raise _NotAMapError


def _slide(
    shape: Shape, args: Mapping[str, Any], window_name: str
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return the output size, the window with its dilation, and the strides."""
    kernel, strides = pair(args[window_name]), pair(args["strides"])
    dilation = pair(args.get("dilation_rate", 1))
    window = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    if args["padding"] == "same":
        size = tuple(math.ceil(n / s) for n, s in zip(shape[:2], strides, strict=True))
    else:
        size = tuple((n - w) // s + 1 for n, w, s in zip(shape[:2], window, strides, strict=True))
    if min(size) < 1:
        raise _CollapsesError(f"of {times(window)}")
    return size, window, strides


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """Return (height, width) of a size that may be one number for both."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _borders(value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    vertical, horizontal = pair(value)
    return pair(vertical), pair(horizontal)


def times(shape: Sequence[int]) -> str:
    """Return sizes as people write them.

    >>> times((28, 28, 1))
    '28 x 28 x 1'
    """
    return " x ".join(str(size) for size in shape)
