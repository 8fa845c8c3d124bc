"""Run Keras preprocessing layers with random numbers that come from the keys of the images."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnkit.augmentation.keys import fold
from cnnkit.backend import keras, tf

# What Keras raises for arguments, or for images, that a layer cannot work with.
KERAS_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)


class KeyedLayer:
    """A Keras image preprocessing layer whose random numbers come from the key of each image.

    Equal key and equal image give equal pixels in any batch, thread and order, eagerly and inside
    `tf.data`. Keras's own layers count their calls instead, and in a parallel map the order of the
    calls changes from one run to the next.

    Args:
        keras_name: of the layer's class.
        arguments: of its constructor.
    """

    runs_in_graph = True

    def __init__(self, keras_name: str, arguments: Mapping[str, Any]) -> None:
        """Build the layer and replace its seed generators, and those of the layers it holds."""
        layer = getattr(keras.layers, keras_name)
        arguments = {"dtype": "float32", **arguments}  # even if the model uses mixed precision
        if "seed" in inspect.signature(layer).parameters:
            # Without a seed, Keras draws one from Python's random numbers, which changes theirs.
            arguments.setdefault("seed", 0)
        self._layer = layer(**arguments)
        self._seeds = _KeyedSeeds()
        for held in _with_nested([self._layer]):
            if hasattr(held, "generator"):
                held.generator = self._seeds

    def __call__(self, batch: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Change one image, float32 (1, height, width, channels), by its key, int32 (2,)."""
        self._seeds.start(key)
        return self._layer(batch, training=True)


class KerasStage:
    """Keras layers that follow one another; their result is rounded once, at the end.

    Args:
        layers: (place in the augmentation, layer).
        image_shape: (height, width, channels) of the images, before and after. If a layer makes an
            image smaller, it is scaled back.
    """

    def __init__(
        self, layers: Sequence[tuple[int, KeyedLayer]], image_shape: tuple[int, int, int]
    ) -> None:
        """Keep the layers and their places."""
        self._places = [place for place, _ in layers]
        self._layers = [layer for _, layer in layers]
        self._shape = tuple(image_shape)

    def __call__(self, images: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Change a batch: uint8 (n, height, width, channels), with keys uint64 (n,)."""
        keys = tf.numpy_function(self._layer_keys, [keys], tf.int32, stateful=False)
        keys.set_shape((None, len(self._layers), 2))
        # One image at a time, because a Keras layer takes one seed for a whole batch.
        signature = tf.TensorSpec(self._shape, tf.uint8)
        return tf.map_fn(
            lambda pair: self._change_one(*pair), (images, keys), fn_output_signature=signature
        )

    def _layer_keys(self, keys: np.ndarray) -> np.ndarray:
        """Return a key for each image and layer: int32 (n, number of layers, 2).

        TensorFlow's stateless random numbers take two int32 in place of one uint64.
        """
        words = np.stack([fold(keys, place) for place in self._places], axis=1)
        return words.view(np.int32).reshape(len(keys), len(self._places), 2)

    def _change_one(self, image: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        batch = tf.cast(tf.ensure_shape(image, self._shape), tf.float32)[tf.newaxis]
        for index, layer in enumerate(self._layers):
            batch = layer(batch, keys[index])
        # Some Keras layers give images of another size.
        if tuple(batch.shape[1:3]) != self._shape[:2]:
            batch = tf.image.resize(batch, self._shape[:2], antialias=True)
        pixels = tf.clip_by_value(tf.round(tf.cast(batch[0], tf.float32)), 0, 255)
        return tf.ensure_shape(tf.cast(pixels, tf.uint8), self._shape)


class _KeyedSeeds(keras.random.SeedGenerator):
    """Give one seed after the other, each a function of the current key and of its number.

    The count advances while TensorFlow traces (or runs eagerly), so the graph itself has no state.
    """

    def __init__(self) -> None:
        # Without super().__init__, which makes a variable for the state: these seeds have none.
        self._key = tf.zeros((2,), tf.int32)
        self._place = 0

    def start(self, key: tf.Tensor) -> None:
        self._key, self._place = key, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        self._place += 1
        return tf.random.experimental.stateless_fold_in(self._key, self._place)


def _with_nested(layers: Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Return the layers and all layers inside them."""
    found = []
    for layer in layers:
        held = [value for value in vars(layer).values() if isinstance(value, keras.layers.Layer)]
        found += [layer, *_with_nested(held)]
    return found
