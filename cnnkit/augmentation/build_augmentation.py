"""The config's augmentation calls and the pixel settings enter; an `Augmentation` leaves."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from cnnkit.augmentation import areas, colours, geometry
from cnnkit.augmentation.mixing import CutMix, Mixing, MixUp
from cnnkit.augmentation.operations import Augmentation
from cnnkit.augmentation.rand_augment import RandAugment
from cnnkit.config.own_calls import misplaced_mixing
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.text import count_of

_ON_HOST = {
    "random_flip": geometry.RandomFlip,
    "random_rotation": geometry.RandomRotation,
    "random_zoom": geometry.RandomZoom,
    "random_translation": geometry.RandomTranslation,
    "random_shear": geometry.RandomShear,
    "random_perspective": geometry.RandomPerspective,
    "random_crop": geometry.RandomCrop,
    "random_resized_crop": geometry.RandomResizedCrop,
    "random_brightness": colours.RandomBrightness,
    "random_contrast": colours.RandomContrast,
    "random_saturation": colours.RandomSaturation,
    "random_hue": colours.RandomHue,
    "random_color_degeneration": colours.RandomColorDegeneration,
    "random_grayscale": colours.RandomGrayscale,
    "random_invert": colours.RandomInvert,
    "random_posterization": colours.RandomPosterization,
    "solarization": colours.Solarization,
    "auto_contrast": colours.AutoContrast,
    "equalization": colours.Equalization,
    "random_sharpness": areas.RandomSharpness,
    "random_gaussian_blur": areas.RandomGaussianBlur,
    "random_erasing": areas.RandomErasing,
    "rand_augment": RandAugment,
}
_JITTER = {
    "brightness_factor": colours.RandomBrightness,
    "contrast_factor": colours.RandomContrast,
    "saturation_factor": colours.RandomSaturation,
    "hue_factor": colours.RandomHue,
}
_MIXING = {"mixup": MixUp, "cutmix": CutMix}

_HOST_ERRORS = (ArithmeticError, TypeError, ValueError, cv2.error)
_NOISE = re.compile(
    r"\x1b\[\d*m|\{\{.*?\}\}|\[Op:\w+\]|Exception encountered when calling \S+| name: *$"
)


def build_augmentation(calls: Iterable[Any], settings: PixelSettings) -> Augmentation | None:
    """Build the augmentation of a config and try each operation on one picture.

    Args:
        calls: the `augmentation` section: objects with `name`, `arguments`, `keras_name`,
            `keras_arguments`.
        settings: of the pictures; the size and the number of channels are read.

    Returns:
        The augmentation, None for an empty section.

    Raises:
        UsageError: a value is not allowed, the operation cannot work on such pictures, or
            something follows mixup or cutmix.
    """
    calls = tuple(calls)
    misplaced = misplaced_mixing(calls)
    if misplaced:
        index, message = misplaced
        raise UsageError(f"augmentation[{index}] ({calls[index].name}): {message}")
    operations = []
    for index, call in enumerate(calls):
        if call.name not in _MIXING:
            operations.append((call.name, _tried(index, call, settings)))
    mixing = [_MIXING[call.name](**call.arguments) for call in calls if call.name in _MIXING]
    if not calls:
        return None
    return Augmentation(operations, settings.shape, Mixing(mixing) if mixing else None)


def _tried(index: int, call: Any, settings: PixelSettings) -> list[Any]:
    """Return the parts of one operation, after it has changed a picture."""
    shape = settings.shape
    with _naming(index, call, settings):
        parts = _parts(call)
        if shape[-1] == 1 and any(getattr(part, "needs_colours", False) for part in parts):
            raise ValueError("it changes colours, and these pictures have none.")
        image = (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)
        alone = Augmentation([(call.name, parts)], shape)
        alone.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    return parts


def _parts(call: Any) -> list[Any]:
    if not _runs_on_host(call):
        from cnnkit.augmentation.keras_layers import KeyedLayer

        return [KeyedLayer(call.keras_name, call.keras_arguments)]
    arguments = {
        name: value for name, value in call.arguments.items() if name not in ("value_range", "bins")
    }
    if call.name == "random_color_jitter":
        given = {name: arguments[name] for name in _JITTER if arguments.get(name) is not None}
        return [_JITTER[name](factor) for name, factor in given.items()]
    return [_ON_HOST[call.name](**arguments)]


def _runs_on_host(call: Any) -> bool:
    """Tell whether our own code does it; Keras keeps what is unusual."""
    if call.name not in _ON_HOST and call.name != "random_color_jitter":
        return False
    if call.arguments.get("bins", 256) != 256:
        return False
    kernel_size = call.arguments.get("kernel_size", 3)
    is_square = not isinstance(kernel_size, list | tuple) or len(set(kernel_size)) == 1
    return list(call.arguments.get("value_range", [0, 255])) == [0, 255] and is_square


@contextlib.contextmanager
def _naming(index: int, call: Any, settings: PixelSettings) -> Iterator[None]:
    """Turn what goes wrong into an error that names the call."""
    errors: tuple[type[Exception], ...] = _HOST_ERRORS
    if not _runs_on_host(call):
        from cnnkit.augmentation.keras_layers import KERAS_ERRORS as errors
    try:
        yield
    except errors as error:
        height, width, channels = settings.shape
        raise UsageError(
            f"augmentation[{index}] ({call.name}) cannot be used for {settings.color_mode} "
            f"pictures of {height} x {width} ({count_of(channels, 'channel')}): {_plain(error)}"
        ) from error


def _plain(error: BaseException) -> str:
    """Return the message without Keras's colours, op names and list of arguments."""
    text = _NOISE.sub("", str(error).split("Arguments received by")[0])
    return " ".join(text.split())[:400] or type(error).__name__
