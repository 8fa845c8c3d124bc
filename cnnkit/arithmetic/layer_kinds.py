"""The effect of every kind of Keras layer, by the name of its class."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cnnkit.arithmetic import sliding_layers
from cnnkit.arithmetic.layer_effect import (
    UNKNOWN,
    WHOLE,
    Effect,
    Shape,
    UnfitError,
    Window,
    elements,
    need_axes,
    times,
)

Arguments = Mapping[str, Any]
EffectOf = Callable[[Shape, Arguments], Effect]


def effect_of(kind: str) -> EffectOf | None:
    """Return the function (input shape, full arguments) -> Effect for a kind of layer.

    Args:
        kind: a Keras class such as Conv2D, or SqueezeExcite.

    Returns:
        The function; None for a kind whose arithmetic is known to Keras only.
    """
    if kind in _EFFECTS:
        return _EFFECTS[kind]
    found = re.fullmatch(r"(\w+?)([123])D(Transpose)?", kind)
    if not found or found[1] + (found[3] or "") not in _SPATIAL:
        return None
    return partial(_SPATIAL[found[1] + (found[3] or "")], num_axes=int(found[2]))


def has_weights(kind: str, arguments: Arguments) -> bool:
    """Return whether a layer has weights, trained or not. This does not depend on its input.

    Args:
        kind: a Keras class such as Conv2D, or SqueezeExcite.
        arguments: all its arguments with their defaults.
    """
    if kind in ("LayerNormalization", "GroupNormalization"):
        return arguments["scale"] or arguments["center"]
    if kind == "Normalization":
        return arguments["mean"] is None
    return "Conv" in kind or kind in _WITH_WEIGHTS


def _unchanged(shape: Shape, arguments: Arguments) -> Effect:
    return Effect(shape)


def _flatten(shape: Shape, arguments: Arguments) -> Effect:
    return Effect((elements(shape),), window=WHOLE)


def _dense(shape: Shape, arguments: Arguments) -> Effect:
    units = arguments["units"]  # applied to the last axis, at each position of a map
    return Effect(
        (*shape[:-1], units),
        (shape[-1] + arguments["use_bias"]) * units,
        multiply_adds=elements(shape) * units,
    )


def _axes(shape: Shape, axis: int | list[int]) -> list[int]:
    """Return the positions in `shape` of axes that Keras counts from the batch as axis 0."""
    given = [axis] if isinstance(axis, int) else list(axis)
    found = [part + len(shape) if part < 0 else part - 1 for part in given]
    if any(not 0 <= part < len(shape) for part in found):
        raise UnfitError(
            f"{times(shape)} has no axis {axis}. Use 1 to {len(shape)}, or -1 for the last one."
        )
    return found


def _over(shape: Shape, axis: int | list[int]) -> str | None:
    """Return the window of a layer that computes over some axes: WHOLE if one is spatial."""
    spatial = set(range(len(shape) - 1))
    return WHOLE if spatial & set(_axes(shape, axis)) else None


def _batch_norm(shape: Shape, arguments: Arguments) -> Effect:
    size = math.prod(shape[axis] for axis in _axes(shape, arguments["axis"]))
    # gamma and beta are trained; the moving mean and variance are not
    return Effect(shape, size * (arguments["scale"] + arguments["center"]), 2 * size)


def _layer_norm(shape: Shape, arguments: Arguments) -> Effect:
    size = math.prod(shape[axis] for axis in _axes(shape, arguments["axis"]))
    # RMSNormalization has neither argument: it always scales and never centers.
    weights = size * (arguments.get("scale", True) + arguments.get("center", False))
    return Effect(shape, weights, window=_over(shape, arguments["axis"]))


def _group_norm(shape: Shape, arguments: Arguments) -> Effect:
    channels = shape[_axes(shape, arguments["axis"])[0]]
    groups = arguments["groups"]
    if groups != -1 and channels % groups:
        raise UnfitError(f"groups={groups} must divide the {channels} channels of its input.")
    return Effect(shape, channels * (arguments["scale"] + arguments["center"]), window=WHOLE)


def _prelu(shape: Shape, arguments: Arguments) -> Effect:
    given = arguments["shared_axes"] or []
    _axes(shape, given)  # refuses axes that do not exist
    kept = list(shape)
    for axis in [given] if isinstance(given, int) else given:
        kept[axis - 1] = 1  # Keras takes a negative axis for the one before it, and so do we
    return Effect(shape, math.prod(kept))


def _normalization(shape: Shape, arguments: Arguments) -> Effect:
    axes = sorted(_axes(shape, arguments["axis"]))
    mean, variance = arguments["mean"], arguments["variance"]
    if mean is None and variance is None:
        size = math.prod(shape[axis] for axis in axes)
        return Effect(shape, non_trainable=2 * size + 1)  # means, variances and one counter
    lengths = [len(part) if isinstance(part, list) else 0 for part in (mean, variance)]
    if mean is None or variance is None or lengths[0] != lengths[1]:
        raise UnfitError("mean and variance belong together. Give the same number of values each.")
    if lengths[0] > 1 and lengths[0] != shape[axes[-1]]:
        raise UnfitError(
            f"mean and variance have {lengths[0]} values, but axis {arguments['axis']} of "
            f"{times(shape)} has size {shape[axes[-1]]}. Give one value, or as many as that."
        )
    return Effect(shape)


def _over_axis(shape: Shape, arguments: Arguments) -> Effect:
    return Effect(shape, window=_over(shape, arguments["axis"]))


def _reshape(shape: Shape, arguments: Arguments) -> Effect:
    target = list(arguments["target_shape"])
    known = math.prod(size for size in target if size != -1)
    if target.count(-1) == 1 and known and elements(shape) % known == 0:
        target[target.index(-1)] = elements(shape) // known
    if -1 in target or elements(tuple(target)) != elements(shape):
        raise UnfitError(
            f"{times(shape)} has {elements(shape):,} numbers, which cannot be reshaped to "
            f"{times(arguments['target_shape'])}."
        )
    same = tuple(target) == shape  # otherwise, neighbours in the result need not be neighbours here
    return Effect(tuple(target), window=None if same else UNKNOWN)


def _permute(shape: Shape, arguments: Arguments) -> Effect:
    dims = arguments["dims"]
    if sorted(dims) != list(range(1, len(shape) + 1)):
        raise UnfitError(f"dims must be 1 to {len(shape)} in any order, for {times(shape)}.")
    moved = tuple(shape[axis - 1] for axis in dims)
    return Effect(moved, window=None if list(dims) == sorted(dims) else UNKNOWN)


def _repeat_vector(shape: Shape, arguments: Arguments) -> Effect:
    if len(shape) != 1:
        raise UnfitError(f"it needs a row of numbers, not {times(shape)}.")
    return Effect((arguments["n"], *shape), window=UNKNOWN)


def _resizing(shape: Shape, arguments: Arguments) -> Effect:
    need_axes(shape, 2)
    size = (arguments["height"], arguments["width"])
    return Effect((*size, shape[2]), window=None if size == shape[:2] else UNKNOWN)


def _center_crop(shape: Shape, arguments: Arguments) -> Effect:
    need_axes(shape, 2)
    size = (arguments["height"], arguments["width"])
    cut = tuple(n - kept for n, kept in zip(shape, size, strict=False))
    if min(cut) < 0:
        return Effect((*size, shape[2]), window=UNKNOWN)  # Keras enlarges a map that is too small
    before = tuple(-(part // 2) for part in cut)  # of an odd number, Keras cuts one more at the end
    return Effect((*size, shape[2]), window=Window((1, 1), (1, 1), before))


def _squeeze_excite(shape: Shape, arguments: Arguments) -> Effect:
    need_axes(shape, 2)
    channels, squeezed = shape[2], squeezed_units(shape[2], arguments["ratio"])
    weights = 2 * channels * squeezed  # two dense layers: channels -> squeezed -> channels
    return Effect(shape, weights + squeezed + channels, multiply_adds=weights, window=WHOLE)


def squeezed_units(channels: int, ratio: int) -> int:
    """Return the number of units between the two dense layers of squeeze_excite.

    >>> squeezed_units(64, 16)
    4
    """
    return max(1, channels // ratio)


_WITH_WEIGHTS = ("Dense", "BatchNormalization", "RMSNormalization", "PReLU", "SqueezeExcite")
_EFFECTS: dict[str, EffectOf] = {
    "Flatten": _flatten,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "PReLU": _prelu,
    "Normalization": _normalization,
    "Softmax": _over_axis,
    "UnitNormalization": _over_axis,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
    "Resizing": _resizing,
    "CenterCrop": _center_crop,
    "SqueezeExcite": _squeeze_excite,
    **dict.fromkeys(
        (
            "Activation ReLU LeakyReLU ELU Identity Dropout AlphaDropout GaussianDropout "
            "GaussianNoise ActivityRegularization Rescaling"
        ).split(),
        _unchanged,
    ),
}
_SPATIAL: dict[str, Callable[..., Effect]] = {
    "Conv": sliding_layers.conv,
    "ConvTranspose": sliding_layers.transposed,
    "DepthwiseConv": sliding_layers.depthwise,
    "SeparableConv": sliding_layers.separable,
    "MaxPooling": sliding_layers.pool,
    "AveragePooling": sliding_layers.pool,
    "GlobalMaxPooling": sliding_layers.global_pool,
    "GlobalAveragePooling": sliding_layers.global_pool,
    "ZeroPadding": sliding_layers.zero_padding,
    "Padding": sliding_layers.zero_padding,  # keras.ops.pad in a `.keras` file, in any mode
    "Cropping": sliding_layers.cropping,
    "UpSampling": sliding_layers.up_sampling,
    "SpatialDropout": sliding_layers.spatial_dropout,
}
