"""Operations in the order of the config, images and keys enter; changed images leave."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cnnkit.augmentation.colours import first_values, look_up
from cnnkit.augmentation.keys import Draws, image_keys
from cnnkit.augmentation.mixing import Mixing
from cnnkit.augmentation.resampling import Resampling

if TYPE_CHECKING:
    from cnnkit.backend import tf

Placed = tuple[int, Any]  # (a number that no other operation has, the operation)


class Augmentation:
    """The changes of single images, then of whole batches, that a config asks for.

    Equal key and equal image give equal pixels, in any batch, thread, process and order.

    Args:
        operations: (name in the config, its parts) in the config's order. A part is of `geometry`,
            `colours`, `areas` or `rand_augment`, or is a `KeyedLayer`.
        image_shape: (height, width, channels) that enters and leaves.
        mixing: what is done with whole batches, if anything.
    """

    def __init__(
        self,
        operations: Sequence[tuple[str, Sequence[Any]]],
        image_shape: tuple[int, int, int],
        mixing: Mixing | None = None,
    ) -> None:
        """Plan which operations are made in one go."""
        cv2.setNumThreads(1)  # the threads that read the images run side by side already
        self.names = tuple(name for name, _ in operations)
        self.image_shape = tuple(image_shape)
        self.mixing = mixing
        self._operations = tuple(
            [(position << 8 | number, part) for number, part in enumerate(parts)]
            for position, (_, parts) in enumerate(operations)
        )
        stages = self._stages(None)
        is_led_by_host = bool(stages) and isinstance(stages[0], HostStage)
        self._first = stages[0] if is_led_by_host else HostStage([])
        self._rest = stages[1:] if is_led_by_host else stages

    def keys(
        self, seed: int, epoch: int, hashes: Sequence[str], occurrences: np.ndarray
    ) -> np.ndarray:
        """Return a key for each image: uint64 (n,), see `image_keys`."""
        return image_keys(seed, epoch, hashes, occurrences)

    def on_host(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Make the changes before the first Keras layer.

        Args:
            images: uint8 (n, height, width, channels); they may be written over.
            keys: uint64 (n,).
        """
        return self._first.change(images, keys)

    def in_graph(self, images: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Make the changes from the first Keras layer on: none, in a config without such layers."""
        for stage in self._rest:
            images = stage(images, keys)
        return images

    def change_one(
        self, image: np.ndarray, *, seed: int, epoch: int, sha256: str, stop: int | None = None
    ) -> np.ndarray:
        """Return one image as training sees it in an epoch, before any mixing.

        Args:
            image: uint8 (height, width, channels).
            seed: of the training.
            epoch: number of the epoch, from 0.
            sha256: of the image's file.
            stop: make only so many of the operations `names`; None for all.
        """
        keys = image_keys(seed, epoch, [sha256], [0])
        images = image[np.newaxis]
        for stage in self._stages(stop):
            images = np.asarray(stage(images, keys))
        return images[0].copy()

    def _stages(self, stop: int | None) -> list[Any]:
        parts = [part for operation in self._operations[:stop] for part in operation]
        stages = []
        for runs_in_graph, group in groupby(parts, lambda part: _runs_in_graph(part[1])):
            if runs_in_graph:
                from cnnkit.augmentation.keras_layers import KerasStage

                stages.append(KerasStage(list(group), self.image_shape))
            else:
                stages.append(HostStage(list(group)))
        return stages


class HostStage:
    """Operations on NumPy arrays that follow one another.

    Args:
        operations: of `geometry`, `colours`, `areas` or `rand_augment`, in their order.
    """

    def __init__(self, operations: Sequence[Placed]) -> None:
        """Plan the operations."""
        self._changes = _planned(operations)

    def change(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Change a batch, uint8 (n, height, width, channels), by its keys, uint64 (n,).

        The images may be written over.
        """
        shape = images.shape
        images = images[..., 0] if shape[-1] == 1 else images  # as OpenCV has grey pictures
        return self.change_planes(images, keys).reshape(shape)

    def change_planes(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Change a batch, uint8 (n, height, width) or (n, height, width, 3)."""
        for change in self._changes:
            images = change(images, keys)
        return images

    def __call__(self, images: Any, keys: Any) -> Any:
        """Change a batch of NumPy arrays, or of TensorFlow's in a graph; what enters stays."""
        if isinstance(images, np.ndarray):
            return self.change(images.copy(), keys)
        from cnnkit.backend import tf

        changed = tf.numpy_function(self, [images, keys], tf.uint8, stateful=False)
        return tf.ensure_shape(changed, images.shape)


class _Table:
    """Changes of single levels that follow one another, looked up and rounded once."""

    def __init__(self) -> None:
        self.operations: list[Placed] = []

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        values = first_values(len(images))
        for place, operation in self.operations:
            values = operation.values(values, Draws(keys, place))
        return look_up(images, values)


class _Change:
    """One operation that stands for itself."""

    def __init__(self, place: int, operation: Any) -> None:
        self._place, self._operation = place, operation

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        return self._operation.change(images, Draws(keys, self._place))


def _planned(operations: Sequence[Placed]) -> list[Any]:
    """Return functions of (images, keys): geometric operations join, also across colours.

    An operation that `needs_whole` looks at places or at all pixels: nothing moves across it.
    """
    changes: list[Any] = []
    joined, behind_colours = None, False
    for place, operation in operations:
        if hasattr(operation, "matrices"):
            if joined is None or not joined.takes(operation, behind_colours=behind_colours):
                joined, behind_colours = Resampling(), False
                changes.append(joined)
            joined.add(place, operation)
            continue
        if hasattr(operation, "values"):
            if not changes or not isinstance(changes[-1], _Table):
                changes.append(_Table())
            changes[-1].operations.append((place, operation))
        else:
            changes.append(_Change(place, operation))
        if getattr(operation, "needs_whole", False):
            joined = None
        behind_colours = True
    return changes


def _runs_in_graph(operation: Any) -> bool:
    return getattr(operation, "runs_in_graph", False)
