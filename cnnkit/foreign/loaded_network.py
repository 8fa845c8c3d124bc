"""What a file says about a model that cnnkit did not write."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import UsageError
from cnnkit.foreign.pixel_values import Quantization
from cnnkit.text import count_of, first_few

Run = Callable[[NDArray], NDArray]
_DTYPES = ("float32", "float16", "uint8", "int8")


@dataclass(frozen=True)
class ImageInput:
    """The one input of a model.

    Args:
        image_size: (height, width) in pixels; None if the model takes images of any size.
        channels: 3 or 1.
        channels_first: whether it is (num_images, channels, height, width).
        dtype: float32, float16, uint8 or int8.
        quantization: None if the numbers stand for themselves.
    """

    image_size: tuple[int, int] | None
    channels: int
    channels_first: bool
    dtype: np.dtype
    quantization: Quantization | None = None


@dataclass(frozen=True, eq=False)
class Network:
    """A model of another program, loaded.

    Args:
        image: its input.
        units: how many numbers it gives per image; None if the file does not say.
        run: from an input for `image` to real numbers (num_images, units).
        run_side_by_side: the same for several threads at a time; None if `run` allows that.
        scaling: how it wants pixels to be scaled, a key of `SCALINGS`; None if the file does not
            say.
        step: the distance between two outputs that are next to each other, if they are quantised.
        keras: the `keras.Model`, if it is one.
    """

    image: ImageInput
    units: int | None
    run: Run
    run_side_by_side: Run | None = None
    scaling: str | None = None
    step: float = 0.0
    keras: Any = None


def the_one(path: Path, kind: str, found: Sequence[Any], names: Sequence[str]) -> Any:
    """Return the only input or output of a model.

    Args:
        path: of the model, for messages.
        kind: `input` or `output`.
        found: the inputs or outputs.
        names: theirs.

    Raises:
        UsageError: there are several, or none.
    """
    if len(found) != 1:
        listed = f": {first_few(names, 10)}" if names else ""
        raise UsageError(
            f"{path} has {count_of(len(found), kind)}{listed}. A classifier of images has one "
            f"{kind}. Save the part of the model that has one."
        )
    return found[0]


def image_input(
    path: Path,
    shape: Sequence[int | None],
    dtype: str,
    quantization: Quantization | None = None,
) -> ImageInput:
    """Return what the shape of an input means.

    Args:
        path: of the model, for messages.
        shape: (num_images, height, width, channels), or with the channels before the height; None
            for a size that is open.
        dtype: a name of NumPy.
        quantization: of the input, if it is quantised.

    Raises:
        UsageError: it is not a batch of images of 1 or 3 channels, or of another type.
    """
    if dtype not in _DTYPES:
        raise UsageError(
            f"{path} takes {dtype} numbers. A classifier of images takes {first_few(_DTYPES, 4)}."
        )
    if len(shape) == 4 and shape[0] in (None, 1):
        for channels_first in (False, True):
            channels = shape[1 if channels_first else 3]
            height, width = shape[2:] if channels_first else shape[1:3]
            if channels in (1, 3):
                size = None if None in (height, width) else (int(height or 0), int(width or 0))
                return ImageInput(size, channels, channels_first, np.dtype(dtype), quantization)
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    raise UsageError(
        f"{path} takes an input of shape ({sizes}). "
        "A classifier of images takes (num_images, height, width, channels) or (num_images, "
        "channels, height, width) with 3 channels, or 1 for grey images, and one image at a time."
    )


def units_of(path: Path, shape: Sequence[int | None] | None) -> int | None:
    """Return how many numbers a model gives per image; None if its file does not say.

    Args:
        path: of the model, for messages.
        shape: of the output; None if it is not known.

    Raises:
        UsageError: the output is not a row per image.
    """
    if shape is None or None in shape[1:]:
        return None
    if sum(size != 1 for size in shape[1:]) > 1:
        raise UsageError(
            f"{path} gives an output of shape {' x '.join(map(str, shape[1:]))} per image. A "
            "classifier of images gives one number per class; perhaps this is a model without its "
            "classifier."
        )
    return math.prod(size or 1 for size in shape[1:])


def rows(outputs: Any) -> NDArray:
    """Return outputs as (num_images, units)."""
    outputs = np.asarray(outputs)
    return outputs.reshape(len(outputs), -1)
