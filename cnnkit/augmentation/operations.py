"""Run the operations of a config in its order, with as few passes over the pixels as possible."""

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
    """The changes of a config: first those of single images, then those of whole batches.

    Equal key and equal image give equal pixels in any batch, thread, process and order.

    Args:
        operations: (name in the config, its parts), in the order of the config. A part is from
            `geometry`, `colours`, `areas` or `rand_augment`, or is a `KeyedLayer`.
        image_shape: (height, width, channels) of the images, before and after.
        mixing: what is done to whole batches; None for nothing.
    """

    def __init__(
        self,
        operations: Sequence[tuple[str, Sequence[Any]]],
        image_shape: tuple[int, int, int],
        mixing: Mixing | None = None,
    ) -> None:
        """Plan which operations are done together."""
        # Many images are changed at the same time, by the threads that read them. More threads for
        # a single image would only get in their way.
        cv2.setNumThreads(1)
        self.names = tuple(name for name, _ in operations)
        self.image_shape = tuple(image_shape)
        self.mixing = mixing
        # The place of a part: its operation, and in the last 8 bits its number in that operation.
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
        """Return a key for each image: uint64 (n,). See `image_keys`."""
        return image_keys(seed, epoch, hashes, occurrences)

    def on_host(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Do the changes that come before the first Keras layer.

        Args:
            images: uint8 (n, height, width, channels); they may be overwritten.
            keys: uint64 (n,).
        """
        return self._first.change(images, keys)

    def in_graph(self, images: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Do the changes from the first Keras layer on; without such a layer there are none."""
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
            stop: do only so many of the operations `names`; None for all.
        """
        keys = image_keys(seed, epoch, [sha256], [0])
        images = image[np.newaxis]
        for stage in self._stages(stop):
            images = np.asarray(stage(images, keys))
        return images[0].copy()  # the caller may write into it

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

        The images may be overwritten.
        """
        shape = images.shape
        images = images[..., 0] if shape[-1] == 1 else images  # OpenCV's grey images have two axes
        return self.change_planes(images, keys).reshape(shape)

    def change_planes(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Change a batch, uint8 (n, height, width) or (n, height, width, 3)."""
        for change in self._changes:
            images = change(images, keys)
        return images

    def __call__(self, images: Any, keys: Any) -> Any:
        """Change a copy of a batch: a NumPy array, or a tensor in a graph."""
        if isinstance(images, np.ndarray):
            return self.change(images.copy(), keys)
        from cnnkit.backend import tf

        # Not stateful: with deterministic operations, `tf.data` would run stateful ones one by one.
        changed = tf.numpy_function(self, [images, keys], tf.uint8, stateful=False)
        return tf.ensure_shape(changed, images.shape)


class _Table:
    """Several changes of single levels that follow one another, as one table, rounded once."""

    def __init__(self) -> None:
        self.operations: list[Placed] = []

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        values = first_values(len(images))
        for place, operation in self.operations:
            values = operation.values(values, Draws(keys, place))
        return look_up(images, values)


class _Change:
    """One operation that is not joined with others."""

    def __init__(self, place: int, operation: Any) -> None:
        self._place, self._operation = place, operation

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        return self._operation.change(images, Draws(keys, self._place))


def _planned(operations: Sequence[Placed]) -> list[Any]:
    """Return the functions of (images, keys) that do the operations.

    Geometric operations are joined into one resampling, so that pixels are interpolated once. They
    are joined across changes of colour too, which then come after the resampling. An operation with
    `needs_whole` depends on places or on all pixels, so nothing is joined across it.
    """
    changes: list[Any] = []
    joined, after_colours = None, False
    for place, operation in operations:
        if hasattr(operation, "matrices"):
            if joined is None or not joined.takes(operation, after_colours=after_colours):
                joined, after_colours = Resampling(), False
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
        after_colours = True
    return changes


def _runs_in_graph(operation: Any) -> bool:
    return getattr(operation, "runs_in_graph", False)
