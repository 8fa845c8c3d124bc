"""The type of each argument of Keras's layers, optimizers, initialisers and so on, by its name.

Keras does not declare which values an argument takes, so the tables here do. An argument that they
do not have gets its type from its default.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator

from cnnkit.config.values import (
    Custom,
    Flag,
    Fraction,
    MismatchError,
    Number,
    NumberAbove0,
    NumberFrom0,
    Positive,
    Text,
    Whole,
    choice,
    described,
    list_of,
    plain,
)

_ANYTHING = Annotated[Any, Custom("any value", read=plain, schema={})]
_Share = Annotated[Number, Ge(0), Le(1)]


def _factor(low: int) -> Any:
    """Return the type of the strength of an augmentation: a number, or its limits."""
    number = Annotated[Number, Ge(low), Le(1)]
    return described(
        number | list_of(number, 2),
        f"a number from {low} to 1, or a pair of such numbers [lower, upper]",
    )


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise MismatchError
    return value


def rising(pair: list[float]) -> list[float]:
    """Return a pair whose first number is not the larger one; refuse any other."""
    if pair[0] > pair[1]:
        raise MismatchError(" Write the smaller number first.")
    return pair


def _different(pair: list[float]) -> list[float]:
    if pair[0] == pair[1]:
        raise MismatchError(" The two must differ.")
    return pair


_Factor, _SignedFactor = _factor(0), _factor(-1)
# -1 leaves nothing of the image, and 1 stands for [-1, 1].
_Zoom = described(
    Annotated[Number, Gt(-1), Lt(1)] | list_of(Annotated[Number, Gt(-1), Le(1)], 2),
    "a number above -1 and below 1, or a pair [lower, upper] above -1 and up to 1",
)
_OddSize = Annotated[Positive, AfterValidator(_odd)]
_OddSizes = described(
    _OddSize | list_of(_OddSize, 2), "an odd whole number of at least 1 or a pair of them"
)
_Range: Any = Annotated[list_of(Number, 2), AfterValidator(rising), AfterValidator(_different)]
_Numbers = described(Number | list_of(Number), "a number or a list of numbers")
# How many of the 8 bits of a level a posterization keeps.
_Bits = Annotated[Whole, Ge(1), Le(8)]
_Resizing = choice("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
# Arguments with one number per axis, or one number for all axes.
_SIZES = {"kernel_size", "strides", "pool_size", "dilation_rate", "size", "output_size"}
_SIZES |= {"tile_grid_size"}

# Types that depend only on the name of the argument.
_BY_NAME: dict[str, Any] = {
    **dict.fromkeys(("filters", "units", "depth_multiplier", "n", "height", "width"), Positive),
    **dict.fromkeys(("num_chains", "chain_depth", "num_ops", "bins"), Positive),
    "rate": Fraction,
    "factor": _Factor,
    "sigma": _Factor,
    "value_range": described(_Range, "a pair of numbers [lower, upper]"),
    **dict.fromkeys(("l1", "l2"), NumberFrom0),
    "loss_scale_factor": NumberAbove0,
    "stddev": NumberFrom0,
    "momentum": _Share,
    "epsilon": NumberAbove0,
    "learning_rate": NumberAbove0,
    **dict.fromkeys(("beta_1", "beta_2", "rho"), Fraction),
    "weight_decay": NumberFrom0,
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), NumberAbove0),
    "gradient_accumulation_steps": Annotated[Whole, Ge(2)],
    "ema_overwrite_frequency": Positive,
    "target_shape": described(
        list_of(Annotated[Whole, Ge(-1)]), "a list of whole numbers, -1 for the rest"
    ),
    "dims": described(list_of(Positive), "a list of axes, counted from 1"),
    "fill_value": Number,
    "name": described(Text, "a name"),
}

# Types of one argument of one class, for which the name alone is ambiguous.
_BY_CLASS: dict[tuple[str, str], Any] = {
    ("MinMaxNorm", "rate"): _Share,
    ("OrthogonalRegularizer", "factor"): NumberFrom0,
    ("OrthogonalRegularizer", "mode"): choice("rows", "columns"),
    ("VarianceScaling", "mode"): choice("fan_in", "fan_out", "fan_avg"),
    ("VarianceScaling", "scale"): NumberAbove0,
    ("VarianceScaling", "distribution"): choice(
        "truncated_normal", "untruncated_normal", "uniform"
    ),
    ("Conv1D", "padding"): choice("same", "valid", "causal"),
    ("RandomFlip", "mode"): choice("horizontal", "vertical", "horizontal_and_vertical"),
    ("RandomErasing", "scale"): _Factor,
    ("RandomElasticTransform", "scale"): _Share,
    ("RandomPerspective", "scale"): _Share,
    ("RandomGaussianBlur", "kernel_size"): _OddSizes,
    **{
        (name, argument): _SignedFactor
        for name, arguments in {
            "RandomBrightness": ["factor"],
            "RandomColorDegeneration": ["factor"],
            "RandomColorJitter": ["brightness_factor", "saturation_factor"],
            "RandomRotation": ["factor"],
            "RandomSaturation": ["factor"],
            "RandomTranslation": ["height_factor", "width_factor"],
        }.items()
        for argument in arguments
    },
    **{("RandomZoom", f"{axis}_factor"): _Zoom for axis in ("height", "width")},
    # Keras supports no other mode so far.
    ("Resizing", "fill_mode"): choice("constant"),
    ("Resizing", "interpolation"): _Resizing,
    ("UpSampling2D", "interpolation"): _Resizing,
    ("Rescaling", "scale"): _Numbers,
    ("Rescaling", "offset"): _Numbers,
    ("MaxNorm", "max_value"): NumberAbove0,
    ("RandomPosterization", "factor"): _Bits | list_of(_Bits, 2),
    ("Constant", "value"): Number,
    ("Normalization", "mean"): _Numbers,
    ("Normalization", "variance"): _Numbers,
    # One axis; only LayerNormalization takes several.
    ("BatchNormalization", "axis"): Whole,
    ("GroupNormalization", "axis"): Whole,
    ("GroupNormalization", "groups"): described(
        Positive | Annotated[Whole, Ge(-1), Le(-1)],
        "a whole number of at least 1, or -1 for as many groups as channels",
    ),
    ("PReLU", "shared_axes"): described(
        Positive | list_of(Positive), "an axis or a list of axes, counted from 1"
    ),
    **dict.fromkeys((("ReLU", "max_value"), ("ReLU", "threshold")), NumberFrom0),
    **dict.fromkeys((("ReLU", "negative_slope"), ("LeakyReLU", "negative_slope")), NumberFrom0),
}


def argument_type(keras_name: str, argument: str, default: Any) -> Any:
    """Return the type of one argument, without null.

    Args:
        keras_name: the class that the argument belongs to.
        argument: its name.
        default: its default in Keras; anything else if it is required.
    """
    if (keras_name, argument) in _BY_CLASS:
        return _BY_CLASS[keras_name, argument]
    if argument in _SIZES:
        return _size(_num_axes(keras_name), Positive)
    if argument == "output_padding":
        return _size(_num_axes(keras_name), Annotated[Whole, Ge(0)])
    if argument == "padding":
        is_border = keras_name.startswith("ZeroPadding")
        return border(_num_axes(keras_name)) if is_border else choice("same", "valid")
    if argument == "cropping":
        return border(_num_axes(keras_name))
    if argument == "groups" and keras_name.startswith("Conv"):
        return Positive
    if argument == "interpolation":
        return choice("nearest", "bilinear")
    if argument == "fill_mode":
        return choice("reflect", "wrap", "constant", "nearest")
    if argument.endswith("_factor") and argument not in _BY_NAME:  # of an augmentation
        return _Factor
    return _BY_NAME.get(argument) or _like_default(argument, default)


def _num_axes(keras_name: str) -> int:
    found = re.search(r"([123])D", keras_name)
    return int(found[1]) if found else 2


def _size(num_axes: int, item: Any) -> Any:
    least = "at least 1" if item is Positive else "at least 0"
    several = {1: "a list of one", 2: "a pair of them", 3: "a list of three"}[num_axes]
    return described(item | list_of(item, num_axes), f"a whole number of {least} or {several}")


def border(num_axes: int = 2) -> Any:
    """Return the type of a border: one width, one per axis, or a pair per axis."""
    width = Annotated[Whole, Ge(0)]
    pair = list_of(width, 2)
    if num_axes == 1:
        return described(width | pair, "a width, or a pair [before, after]")
    axes = f"each of the {num_axes} axes"
    words = f"a width in pixels, one for {axes}, or a pair [before, after] for {axes}"
    return described(width | list_of(width | pair, num_axes), words)


def _like_default(argument: str, default: Any) -> Any:
    if isinstance(default, bool):
        return Flag
    if argument == "axis" or argument.endswith("_axes"):
        return described(Whole | list_of(Whole), "an axis or a list of axes")
    if isinstance(default, int):
        return Whole
    if isinstance(default, float):
        return Number
    if isinstance(default, list):
        return _Numbers
    return Text if isinstance(default, str) else _ANYTHING
