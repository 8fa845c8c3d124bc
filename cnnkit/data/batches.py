"""Make `tf.data` batches of (images, targets) from an `ImageDataset` and indices."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnkit.backend import tf
from cnnkit.data.dataset import ImageDataset
from cnnkit.data.order import epoch_order

if TYPE_CHECKING:
    from cnnkit.augmentation import Augmentation
    from cnnkit.augmentation.mixing import Mixing

_PREFETCHED_BATCHES = 4  # enough to bridge a slow file, few enough for large images in memory
# Otherwise TensorFlow would rewrite the `if` of these functions, which needs time and changes
# nothing: none of them depends on a tensor.
_as_it_is = tf.autograph.experimental.do_not_convert


def training_batches(
    dataset: ImageDataset,
    indices: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    first_step: int = 0,
    augment: Augmentation | None = None,
    weights: np.ndarray | None = None,
    sigmoid: bool = False,
    balanced: bool = False,
    machine: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Return the batches of one epoch; batch s is a function of seed, epoch and s alone.

    Args:
        dataset: where pixels and labels come from.
        indices: which samples.
        batch_size: images per batch; the last batch has the rest.
        seed: of the order and the augmentation.
        epoch: number of the epoch.
        first_step: which batch comes first; the earlier ones are left out, and not read.
        augment: changes the images, and the targets if it mixes images.
        weights: how much each sample of the data set counts in the loss; adds a third item to each
            batch. If two images are mixed, their weights are mixed in the same proportion.
        sigmoid: targets for one sigmoid unit instead of one-hot ones.
        balanced: show every class equally often, see `epoch_order`.
        machine: the number of this machine, and how many share each batch. It gets its part, and
            reads no other image; unless images of a batch are mixed, which needs the whole batch.

    Returns:
        Batches of images uint8 (batch, height, width, channels), targets float32 (batch, classes)
        or (batch, 1) with `sigmoid`, and weights float32 (batch,) if requested. Keras can tell how
        many batches there are.
    """
    indices = np.asarray(indices, np.int64)
    order = epoch_order(indices, dataset.labels[indices], seed=seed, epoch=epoch, balanced=balanced)

    mixing = None if augment is None else augment.mixing

    def read(samples: np.ndarray, occurrences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = dataset.pixels(samples)
        if augment is None:
            # Nothing reads these keys, but the function must return as many arrays as with them.
            return images, np.zeros(len(samples), np.uint64)
        hashes = [dataset.samples[index].sha256 for index in samples]
        keys = augment.keys(seed, epoch, hashes, occurrences)
        return augment.on_host(images, keys), keys

    @_as_it_is
    def batch(step: tf.Tensor, shown: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        read_here = _part(shown, machine) if mixing is None else shown
        samples, occurrences, labels, *of_samples = read_here
        types = (dataset.dtype, tf.uint64)
        # Stateless: what `read` returns depends on its arguments alone.
        images, keys = tf.numpy_function(read, [samples, occurrences], types, stateful=False)
        # TensorFlow cannot see the shapes of what NumPy returns, and Keras needs them.
        images.set_shape((None, *dataset.shape))
        keys.set_shape((None,))
        # The weights are a column of the targets for a while, so that they are mixed like these.
        targets = tf.concat(
            [_targets(labels, len(dataset.class_names), sigmoid), *of_samples], axis=1
        )
        if augment is not None:
            images = augment.in_graph(images, keys)
            if mixing is not None:
                mix = _mixer(mixing, seed, epoch)
                images, targets = _part(_same_shapes(mix, images, targets, step), machine)
        if weights is None:
            return images, targets
        return images, targets[:, :-1], targets[:, -1]

    shown: tuple[np.ndarray, ...] = (*order, dataset.labels[order.samples])
    if weights is not None:
        shown = (*shown, weights[order.samples, np.newaxis].astype(np.float32))
    # Batched before the images are read, so that Python is called once per batch, not per image.
    # The number of a batch decides how its images are mixed.
    batches = (
        tf.data.Dataset.from_tensor_slices(shown).batch(batch_size).enumerate().skip(first_step)
    )
    batches = batches.map(batch, num_parallel_calls=_num_threads(), deterministic=True)
    return batches.prefetch(_PREFETCHED_BATCHES).with_options(_options())


def evaluation_batches(
    dataset: ImageDataset,
    indices: np.ndarray,
    *,
    batch_size: int,
    sigmoid: bool = False,
    machine: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Return batches of (images, targets) in the order of `indices`, without augmentation.

    Args:
        dataset: where pixels and labels come from.
        indices: which samples.
        batch_size: images per batch; the last batch has the rest.
        sigmoid: targets for one sigmoid unit instead of one-hot ones.
        machine: as for `training_batches`.
    """
    indices = np.asarray(indices, np.int64)

    @_as_it_is
    def batch(*shown: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        samples, labels = _part(shown, machine)
        images = tf.numpy_function(dataset.pixels, [samples], dataset.dtype, stateful=False)
        images.set_shape((None, *dataset.shape))
        return images, _targets(labels, len(dataset.class_names), sigmoid)

    shown = (indices, dataset.labels[indices])
    batches = tf.data.Dataset.from_tensor_slices(shown).batch(batch_size)
    batches = batches.map(batch, num_parallel_calls=_num_threads(), deterministic=True)
    return batches.prefetch(_PREFETCHED_BATCHES).with_options(_options())


def _part(whole: tuple[tf.Tensor, ...], machine: tuple[int, int]) -> tuple[tf.Tensor, ...]:
    """Return this machine's part of the rows of a batch."""
    number, machines = machine
    if machines == 1:
        return whole
    size = tf.shape(whole[0])[0]
    start, end = size * number // machines, size * (number + 1) // machines
    return tuple(rows[start:end] for rows in whole)


def _mixer(mixing: Mixing, seed: int, epoch: int) -> Callable[..., Any]:
    """Return a function that mixes the images of a batch, and their targets, by its number."""

    def mix(images: np.ndarray, targets: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        return mixing(images, targets, seed=seed, epoch=epoch, step=int(step))

    return mix


def _targets(labels: tf.Tensor, num_classes: int, sigmoid: bool) -> tf.Tensor:
    if sigmoid:
        return tf.cast(labels[:, tf.newaxis], tf.float32)
    return tf.one_hot(labels, num_classes, dtype=tf.float32)


def _same_shapes(
    function: Callable[..., Any], images: tf.Tensor, targets: tf.Tensor, step: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Call a NumPy function that changes images and targets but not their shapes."""
    types = (images.dtype, targets.dtype)
    found = tf.numpy_function(function, [images, targets, step], types, stateful=False)
    return tuple(
        tf.ensure_shape(new, old.shape) for new, old in zip(found, (images, targets), strict=True)
    )


def _num_threads() -> int:
    return os.cpu_count() or 1


def _options() -> tf.data.Options:
    """Return options that keep the order and switch off autotuning.

    Shutting down TensorFlow's autotuning can block for a second.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    return options
