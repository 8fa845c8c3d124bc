"""The name and default of a Keras argument enter; the kind of values it takes leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cnnkit.config.values import (
    Kind,
    anything,
    choice,
    either,
    flag,
    items_of,
    nullable,
    number,
    text,
    whole,
)

_POSITIVE = whole(1)
_SIZES = {"kernel_size", "strides", "pool_size", "dilation_rate", "size", "output_size"}
_SIZES |= {"tile_grid_size"}
_FACTOR = either(
    number(), items_of(number(), (2,)), expected="a number or a pair of numbers [lower, upper]"
)
_NUMBERS = either(number(), items_of(number()), expected="a number or a list of numbers")
_RESIZE = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")

# Kinds that depend on the argument's name alone.
_BY_NAME: dict[str, Kind] = {
    **dict.fromkeys(("filters", "units", "depth_multiplier", "n", "height", "width"), _POSITIVE),
    **dict.fromkeys(("num_chains", "chain_depth", "num_ops", "bins"), _POSITIVE),
    "rate": number(0, below=1),
    "factor": _FACTOR,
    "sigma": _FACTOR,
    "value_range": items_of(number(), (2,), "a pair of numbers [lower, upper]"),
    "stddev": number(0),
    "momentum": number(0, 1),
    "epsilon": number(above=0),
    "learning_rate": number(above=0),
    **dict.fromkeys(("beta_1", "beta_2", "rho"), number(0, below=1)),
    "weight_decay": number(0),
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), number(above=0)),
    "gradient_accumulation_steps": whole(2),
    "ema_overwrite_frequency": _POSITIVE,
    "target_shape": items_of(whole(-1), expected="a list of whole numbers, -1 for the rest"),
    "dims": items_of(_POSITIVE, expected="a list of axes, counted from 1"),
    "fill_value": number(),
    "name": text("a name"),
}

# Kinds of one argument of one class, where the name means something else there.
_BY_CLASS: dict[tuple[str, str], Kind] = {
    ("MinMaxNorm", "rate"): number(0, 1),
    ("OrthogonalRegularizer", "factor"): number(0),
    ("OrthogonalRegularizer", "mode"): choice("rows", "columns"),
    ("VarianceScaling", "mode"): choice("fan_in", "fan_out", "fan_avg"),
    ("VarianceScaling", "scale"): number(above=0),
    ("Conv1D", "padding"): choice("same", "valid", "causal"),
    ("RandomFlip", "mode"): choice(*_FLIPS),
    ("RandomErasing", "scale"): _FACTOR,
    ("Resizing", "fill_mode"): choice("constant"),
    ("Resizing", "interpolation"): choice(*_RESIZE),
    ("UpSampling2D", "interpolation"): choice(*_RESIZE),
    ("Rescaling", "scale"): _NUMBERS,
    ("Rescaling", "offset"): _NUMBERS,
    ("MaxNorm", "max_value"): number(above=0),
    ("RandomPosterization", "factor"): either(whole(1, 8), items_of(whole(1, 8), (2,))),
    ("Constant", "value"): number(),
    ("Normalization", "mean"): _NUMBERS,
    ("Normalization", "variance"): _NUMBERS,
    ("BatchNormalization", "axis"): whole(),
    ("GroupNormalization", "axis"): whole(),
    ("GroupNormalization", "groups"): either(
        _POSITIVE,
        whole(-1, -1),
        expected="a whole number of at least 1, or -1 for as many groups as channels",
    ),
    ("PReLU", "shared_axes"): either(
        _POSITIVE, items_of(_POSITIVE), expected="an axis or a list of axes, counted from 1"
    ),
    **dict.fromkeys((("ReLU", "max_value"), ("ReLU", "threshold")), number(0)),
    **dict.fromkeys((("ReLU", "negative_slope"), ("LeakyReLU", "negative_slope")), number(0)),
}


def argument_kind(keras_name: str, argument: str, facts: Mapping[str, Any]) -> Kind:
    """Return the kind of one argument; null is allowed where it is the default.

    Args:
        keras_name: the class the argument belongs to.
        argument: its name.
        facts: its row in keras_api.json: {"default": value}, or {} when it is required.
    """
    kind = _kind(keras_name, argument, facts)
    return nullable(kind) if facts.get("default", ...) is None else kind


def _kind(keras_name: str, argument: str, facts: Mapping[str, Any]) -> Kind:
    if (keras_name, argument) in _BY_CLASS:
        return _BY_CLASS[keras_name, argument]
    if argument in _SIZES:
        return _size(_num_axes(keras_name), minimum=1)
    if argument == "output_padding":
        return _size(_num_axes(keras_name), minimum=0)
    if argument == "padding":
        is_border = keras_name.startswith("ZeroPadding")
        return _border(_num_axes(keras_name)) if is_border else choice("same", "valid")
    if argument == "cropping":
        return _border(_num_axes(keras_name))
    if argument == "groups" and keras_name.startswith("Conv"):
        return _POSITIVE
    if argument == "interpolation":
        return choice("nearest", "bilinear")
    if argument == "fill_mode":
        return choice("reflect", "wrap", "constant", "nearest")
    if argument.endswith("_factor") and "loss" not in argument:
        return _FACTOR
    return _BY_NAME.get(argument) or _like_default(argument, facts)


def _num_axes(keras_name: str) -> int:
    found = re.search(r"([123])D", keras_name)
    return int(found[1]) if found else 2


def _size(num_axes: int, minimum: int) -> Kind:
    item = whole(minimum)
    shapes = {1: "a list of one", 2: "a pair of them", 3: "a list of three"}
    words = f"{item.expected} or {shapes[num_axes]}"
    return either(item, items_of(item, (num_axes,)), expected=words)


def _border(num_axes: int) -> Kind:
    """Return the kind of a border: one width, one for each axis, or a pair for each axis."""
    width = whole(0)
    pair = items_of(width, (2,))
    if num_axes == 1:
        return either(width, pair, expected="a width, or a pair [before, after]")
    axes = f"each of the {num_axes} axes"
    words = f"a width in pixels, one for {axes}, or a pair [before, after] for {axes}"
    return either(width, items_of(either(width, pair), (num_axes,)), expected=words)


def _like_default(argument: str, facts: Mapping[str, Any]) -> Kind:
    default = facts.get("default")
    if isinstance(default, bool):
        return flag()
    if argument == "axis" or argument.endswith("_axes"):
        return either(whole(), items_of(whole()), expected="an axis or a list of axes")
    if isinstance(default, int):
        return whole()
    if isinstance(default, float):
        return number()
    if isinstance(default, list):
        return _NUMBERS
    return text() if isinstance(default, str) else anything()
