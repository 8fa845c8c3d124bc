"""Build the augmentation of a config, and try each operation once before the training."""

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
# Keras's RandomColorJitter applies them in this order, regardless of their order in the config.
_JITTER = {
    "brightness_factor": colours.RandomBrightness,
    "contrast_factor": colours.RandomContrast,
    "saturation_factor": colours.RandomSaturation,
    "hue_factor": colours.RandomHue,
}
_MIXING = {"mixup": MixUp, "cutmix": CutMix}

_HOST_ERRORS = (ArithmeticError, TypeError, ValueError, cv2.error)
# What Keras and TensorFlow put around the reason in their messages: colours, op names, wrappers.
_NOISE = re.compile(
    r"\x1b\[\d*m|\{\{.*?\}\}|\[Op:\w+\]|Exception encountered when calling \S+| name: *$"
)


def build_augmentation(calls: Iterable[Any], settings: PixelSettings) -> Augmentation | None:
    """Build the augmentation of a config and try each operation on one image.

    Args:
        calls: the `augmentation` section: objects with `name`, `arguments`, `keras_name`,
            `keras_arguments`.
        settings: of the images; the size and the number of channels are read.

    Returns:
        The augmentation, or None if the section is empty.

    Raises:
        UsageError: a value is not allowed, an operation cannot change such images, or an operation
            follows mixup or cutmix.
    """
    calls = tuple(calls)
    # A config was checked for this when it was loaded, but calls can also be made in Python.
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
    """Return the parts of one operation, after they have changed an image without an error.

    Keras refuses many values only when a layer is called, and a training should not fail then.
    """
    shape = settings.shape
    with _naming(index, call, settings):
        parts = _parts(call)
        if shape[-1] == 1 and any(getattr(part, "needs_colours", False) for part in parts):
            raise ValueError("it changes colours, and these images have none.")
        # Every level occurs, if the image is large enough, and neighbours differ.
        image = (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)
        alone = Augmentation([(call.name, parts)], shape)
        alone.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    return parts


def _parts(call: Any) -> list[Any]:
    """Return what one call of the config consists of: one operation, or several for a jitter."""
    if not _runs_on_host(call):
        from cnnkit.augmentation.keras_layers import KeyedLayer

        return [KeyedLayer(call.keras_name, call.keras_arguments)]
    # Our own code knows only the usual values of these two, see `_runs_on_host`.
    arguments = {
        name: value for name, value in call.arguments.items() if name not in ("value_range", "bins")
    }
    if call.name == "random_color_jitter":
        given = {name: arguments[name] for name in _JITTER if arguments.get(name) is not None}
        return [_JITTER[name](factor) for name, factor in given.items()]
    return [_ON_HOST[call.name](**arguments)]


def _runs_on_host(call: Any) -> bool:
    """Tell whether our own code makes the change. Keras's slower layer does what is rarely used."""
    if call.name not in _ON_HOST and call.name != "random_color_jitter":
        return False
    if call.arguments.get("bins", 256) != 256:
        return False
    kernel_size = call.arguments.get("kernel_size", 3)
    is_square = not isinstance(kernel_size, list | tuple) or len(set(kernel_size)) == 1
    return list(call.arguments.get("value_range", [0, 255])) == [0, 255] and is_square


@contextlib.contextmanager
def _naming(index: int, call: Any, settings: PixelSettings) -> Iterator[None]:
    """Turn an error inside the block into a UsageError that names the call."""
    errors: tuple[type[Exception], ...] = _HOST_ERRORS
    if not _runs_on_host(call):
        from cnnkit.augmentation.keras_layers import KERAS_ERRORS as errors
    try:
        yield
    except errors as error:
        height, width, channels = settings.shape
        raise UsageError(
            f"augmentation[{index}] ({call.name}) cannot be used for {settings.color_mode} "
            f"images of {height} x {width} ({count_of(channels, 'channel')}): {_plain(error)}"
        ) from error


def _plain(error: BaseException) -> str:
    """Return the message on one line, without Keras's colours, op names and list of arguments."""
    text = _NOISE.sub("", str(error).split("Arguments received by")[0])
    # TensorFlow's messages may be pages long; the reason comes first.
    return " ".join(text.split())[:400] or type(error).__name__
