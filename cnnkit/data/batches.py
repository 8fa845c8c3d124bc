"""An `ImageDataset` and indices enter; `tf.data` batches of (images, targets) leave."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from cnnkit.backend import tf
from cnnkit.data.dataset import ImageDataset

Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_PREFETCHED_BATCHES = 4


def training_batches(
    dataset: ImageDataset,
    indices: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    augment: Augment | None = None,
    class_weights: Sequence[float] | None = None,
    sigmoid: bool = False,
) -> tf.data.Dataset:
    """Return the batches of one epoch; order and pixels are a function of (seed, epoch) alone.

    Args:
        dataset: where pixels and labels come from.
        indices: which samples.
        batch_size: images a batch; the last batch holds what is left.
        seed: of the order and the augmentation.
        epoch: number of the epoch.
        augment: changes (images, keys), see `cnnkit.augmentation`.
        class_weights: weight of each class in label order; adds a third item to each batch.
        sigmoid: targets for one sigmoid unit instead of one-hot ones.

    Returns:
        Batches of images uint8 (batch, height, width, channels), targets float32 (batch, classes)
        or (batch, 1) with `sigmoid`, and weights float32 (batch,) where asked for. Keras knows
        their number.
    """
    order = np.random.default_rng([seed, epoch]).permutation(np.asarray(indices, np.int64))
    batches = _batches(dataset, order, batch_size)
    num_classes = len(dataset.class_names)
    weights = None if class_weights is None else tf.constant(class_weights, tf.float32)

    def finish(images: tf.Tensor, labels: tf.Tensor, samples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        if augment is not None:
            images = augment(images, image_keys(seed, epoch, samples))
        targets = _targets(labels, num_classes, sigmoid)
        if weights is None:
            return images, targets
        return images, targets, tf.gather(weights, labels)

    batches = batches.map(finish, num_parallel_calls=_num_threads(), deterministic=True)
    return batches.prefetch(_PREFETCHED_BATCHES).with_options(_options())


def evaluation_batches(
    dataset: ImageDataset, indices: np.ndarray, *, batch_size: int, sigmoid: bool = False
) -> tf.data.Dataset:
    """Return batches of (images, targets) in the order of `indices`, nothing changed.

    Args:
        dataset: where pixels and labels come from.
        indices: which samples.
        batch_size: images a batch; the last batch holds what is left.
        sigmoid: targets for one sigmoid unit instead of one-hot ones.
    """
    num_classes = len(dataset.class_names)
    batches = _batches(dataset, np.asarray(indices, np.int64), batch_size).map(
        lambda images, labels, samples: (images, _targets(labels, num_classes, sigmoid))
    )
    return batches.prefetch(_PREFETCHED_BATCHES).with_options(_options())


def image_keys(seed: int, epoch: int, indices: tf.Tensor) -> tf.Tensor:
    """Return a key for each image: int32 (len(indices), 2), a function of seed, epoch and index."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(2)
    base = tf.constant(words.astype(np.int32))
    return tf.map_fn(
        lambda index: tf.random.experimental.stateless_fold_in(base, index),
        tf.cast(indices, tf.int32),
        fn_output_signature=tf.TensorSpec((2,), tf.int32),
    )


def _batches(dataset: ImageDataset, order: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Return batches of (images, labels, samples), read in threads."""
    labels = dataset.labels[order]

    def read(samples: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(dataset.pixels, [samples], tf.uint8, stateful=False)
        images.set_shape((None, *dataset.settings.shape))
        return images, labels, samples

    batches = tf.data.Dataset.from_tensor_slices((order, labels)).batch(batch_size)
    return batches.map(read, num_parallel_calls=_num_threads(), deterministic=True)


def _targets(labels: tf.Tensor, num_classes: int, sigmoid: bool) -> tf.Tensor:
    if sigmoid:
        return tf.cast(labels[:, tf.newaxis], tf.float32)
    return tf.one_hot(labels, num_classes, dtype=tf.float32)


def _num_threads() -> int:
    return os.cpu_count() or 1


def _options() -> tf.data.Options:
    """Fix parallelism (tearing down TensorFlow's tuned one can block for a second) and order."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    return options
