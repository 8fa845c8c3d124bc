"""The config's augmentation calls enter; a function of (images, keys) leaves."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cnnkit.backend import keras, tf
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.records import count_of
from cnnkit.errors import UsageError, did_you_mean

# What Keras raises for argument values, or for pictures, that a layer cannot work with.
_KERAS_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)


# Keras takes any other word and then flips nothing.
_FLIP_MODES = ("horizontal", "vertical", "horizontal_and_vertical")
_NOISE = re.compile(
    r"\x1b\[\d*m|\{\{.*?\}\}|\[Op:\w+\]|Exception encountered when calling \S+| name: *$"
)


class Augmentation:
    """A chain of Keras preprocessing layers whose random numbers come from a key for each image.

    Equal key and equal image give equal pixels, in any batch, thread and order, eagerly and inside
    `tf.data`. Keras's own layers count calls instead, which a parallel map does not repeat.

    Args:
        layers: Keras image preprocessing layers that were never called, applied in order to pixels
            in 0..255. Their seed generators are replaced.
        image_shape: (height, width, channels) that enters and leaves.
    """

    def __init__(
        self, layers: Sequence[keras.layers.Layer], image_shape: tuple[int, int, int]
    ) -> None:
        """Take the layers over, with their seeds."""
        self._layers = tuple(layers)
        self.image_shape = tuple(image_shape)
        self._seeds = _KeyedSeeds()
        for layer in _with_nested(self._layers):
            if hasattr(layer, "generator"):
                layer.generator = self._seeds

    def __call__(self, images: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Change a batch.

        Args:
            images: (batch, height, width, channels), uint8 or float in 0..255.
            keys: int32 (batch, 2), see `cnnkit.data.batches.image_keys`.

        Returns:
            uint8 of the same shape. A picture that a layer made smaller (a crop) is scaled back.
        """
        signature = tf.TensorSpec(self.image_shape, tf.uint8)
        return tf.map_fn(
            lambda pair: self.change_one(*pair), (images, keys), fn_output_signature=signature
        )

    def change_one(self, image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Change one image (height, width, channels) by its key, int32 (2,)."""
        self._seeds.start(key)
        batch = tf.cast(tf.ensure_shape(image, self.image_shape), tf.float32)[tf.newaxis]
        for layer in self._layers:
            batch = layer(batch, training=True)
        height, width, _ = self.image_shape
        if tuple(batch.shape[1:3]) != (height, width):
            batch = tf.image.resize(batch, (height, width), antialias=True)
        pixels = tf.clip_by_value(tf.round(tf.cast(batch[0], tf.float32)), 0, 255)
        return tf.ensure_shape(tf.cast(pixels, tf.uint8), self.image_shape)


class _KeyedSeeds(keras.random.SeedGenerator):
    """Gives seed after seed, each a function of the current key and its place in the order.

    The place is counted while TensorFlow traces (or runs eagerly): the graph itself holds no state.
    """

    def __init__(self) -> None:
        self._key = tf.zeros((2,), tf.int32)
        self._place = 0

    def start(self, key: tf.Tensor) -> None:
        self._key, self._place = key, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        self._place += 1
        return tf.random.experimental.stateless_fold_in(self._key, self._place)


def build_augmentation(calls: Iterable[Any], settings: PixelSettings) -> Augmentation | None:
    """Build the augmentation of a config and try each layer on one picture.

    Args:
        calls: the `augmentation` section: objects with `name`, `keras_name`, `keras_arguments`.
        settings: of the pictures; the size and the number of channels are read.

    Returns:
        The augmentation, None for an empty section.

    Raises:
        UsageError: Keras refuses a value, or the layer cannot work on such pictures.
    """
    calls = tuple(calls)
    for index, call in enumerate(calls):
        with _naming(index, call, settings):
            _try(Augmentation([_build_layer(call)], settings.shape))
    if not calls:
        return None
    return Augmentation([_build_layer(call) for call in calls], settings.shape)


def _build_layer(call: Any) -> keras.layers.Layer:
    mode = call.keras_arguments.get("mode", _FLIP_MODES[0])
    if call.keras_name == "RandomFlip" and mode not in _FLIP_MODES:
        raise ValueError(
            f"unknown mode {mode!r}, expected {', '.join(_FLIP_MODES)}."
            f"{did_you_mean(str(mode), _FLIP_MODES)}"
        )
    layer = getattr(keras.layers, call.keras_name)
    arguments = {"dtype": "float32", **call.keras_arguments}
    if "seed" in inspect.signature(layer).parameters:
        arguments.setdefault("seed", 0)  # else Keras draws one from Python's random numbers
    return layer(**arguments)


def _try(augmentation: Augmentation) -> None:
    shape = augmentation.image_shape
    image = tf.constant((np.arange(np.prod(shape)) % 256).reshape(shape), tf.uint8)
    augmentation.change_one(image, tf.constant([0, 1], tf.int32))


@contextlib.contextmanager
def _naming(index: int, call: Any, settings: PixelSettings) -> Iterator[None]:
    """Turn what Keras raises into an error that names the call."""
    try:
        yield
    except _KERAS_ERRORS as error:
        height, width, channels = settings.shape
        raise UsageError(
            f"augmentation[{index}] ({call.name}): Keras refuses it for {settings.color_mode} "
            f"pictures of {height} x {width} ({count_of(channels, 'channel')}): {_plain(error)}"
        ) from error


def _plain(error: BaseException) -> str:
    """Return Keras's message without colours, op names and the list of arguments."""
    text = _NOISE.sub("", str(error).split("Arguments received by")[0])
    return " ".join(text.split())[:400] or type(error).__name__


def _with_nested(layers: Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Return the layers and all layers that they hold."""
    found = []
    for layer in layers:
        held = [value for value in vars(layer).values() if isinstance(value, keras.layers.Layer)]
        found += [layer, *_with_nested(held)]
    return found
