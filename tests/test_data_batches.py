"""Batches: order by seed and epoch, all images once, targets, weights, repeatable pixels."""

from __future__ import annotations

import time

import numpy as np
import pytest
from images import data_config, write_classes

from cnnkit.augmentation import build_augmentation
from cnnkit.backend import tf
from cnnkit.config.calls import Call
from cnnkit.data.batches import evaluation_batches, training_batches
from cnnkit.data.dataset import load_dataset


@pytest.fixture(params=["disk", "off"])
def dataset(tiny_images, request):
    return load_dataset(data_config(tiny_images, cache=request.param))


def drawn(batches):
    """Return images and targets of all batches, joined."""
    images, targets = zip(*((batch[0].numpy(), batch[1].numpy()) for batch in batches), strict=True)
    return np.concatenate(images), np.concatenate(targets)


def training(dataset, **changes):
    options = {"batch_size": 5, "seed": 0, "epoch": 0, **changes}
    return training_batches(dataset, np.arange(24), **options)


def test_an_epoch_holds_every_image_once_with_its_label(dataset):
    images, targets = drawn(training(dataset))
    assert images.shape == (24, 16, 16, 3)
    assert images.dtype == np.uint8
    assert targets.dtype == np.float32
    by_content = {pixels.tobytes(): i for i, pixels in enumerate(dataset.pixels(range(24)))}
    order = [by_content[pixels.tobytes()] for pixels in images]
    assert sorted(order) == list(range(24))
    assert order != list(range(24))
    assert np.array_equal(targets, np.eye(3)[dataset.labels[order]])


def test_the_last_batch_is_kept_and_their_number_known(dataset):
    batches = training(dataset)
    assert [len(images) for images, _ in batches] == [5, 5, 5, 5, 4]
    assert batches.cardinality().numpy() == 5
    assert batches.element_spec[0].shape.as_list() == [None, 16, 16, 3]
    assert evaluation_batches(dataset, np.arange(24), batch_size=7).cardinality().numpy() == 4


def test_the_order_follows_seed_and_epoch_only(dataset):
    first, _ = drawn(training(dataset))
    assert np.array_equal(first, drawn(training(dataset))[0])
    assert np.array_equal(first, drawn(training(dataset, batch_size=24))[0])
    assert not np.array_equal(first, drawn(training(dataset, epoch=1))[0])
    assert not np.array_equal(first, drawn(training(dataset, seed=1))[0])


def test_evaluation_keeps_the_given_order(dataset):
    chosen = np.array([23, 0, 0, 7])
    images, targets = drawn(evaluation_batches(dataset, chosen, batch_size=3))
    assert np.array_equal(images, dataset.pixels(chosen))
    assert targets.argmax(axis=1).tolist() == [2, 0, 0, 0]


def test_one_sigmoid_unit_gets_zero_or_one(tmp_path):
    dataset = load_dataset(data_config(write_classes(tmp_path, {"cat": 6, "dog": 6})))
    chosen = np.array([0, 11, 5, 6])
    _, targets = drawn(evaluation_batches(dataset, chosen, batch_size=3, sigmoid=True))
    assert targets.dtype == np.float32
    assert targets.tolist() == [[0], [1], [0], [1]]


def test_class_weights_come_as_the_third_item(dataset):
    for _, targets, weights in training(dataset, class_weights=[1.0, 2.0, 0.5]):
        assert weights.dtype == tf.float32
        assert np.allclose(weights, targets.numpy() @ [1.0, 2.0, 0.5])


def augmentation(dataset):
    calls = [
        Call("random_flip", {"mode": "horizontal"}),
        Call("random_rotation", {"factor": 0.2}),
        Call("random_brightness", {"factor": 0.2}),
    ]
    return build_augmentation(calls, dataset.settings)


def augmented_by_image(dataset, augment, **changes):
    """Return the augmented pixels in the order of the samples."""
    epoch = changes.get("epoch", 0)
    order = np.random.default_rng([changes.get("seed", 0), epoch]).permutation(24)
    images, _ = drawn(training(dataset, augment=augment, **changes))
    return images[np.argsort(order)]


def test_augmentation_repeats_in_parallel_and_whatever_the_batch(dataset):
    augment = augmentation(dataset)
    first = augmented_by_image(dataset, augment)
    for batch_size in (5, 1, 24):
        again = augmented_by_image(dataset, augmentation(dataset), batch_size=batch_size)
        assert np.array_equal(first, again)
    changed = (first != dataset.pixels(range(24))).any(axis=(1, 2, 3))
    assert changed.all()


def test_augmentation_differs_between_epochs_and_seeds(dataset):
    augment = augmentation(dataset)
    first = augmented_by_image(dataset, augment)
    for change in ({"epoch": 1}, {"seed": 1}):
        other = augmented_by_image(dataset, augment, **change)
        assert (first != other).any(axis=(1, 2, 3)).mean() > 0.9


def test_an_image_that_vanished_is_named(tiny_images):
    dataset = load_dataset(data_config(tiny_images, cache="off"))
    (tiny_images / "red" / "0.png").unlink()
    with pytest.raises(tf.errors.OpError, match=r"red/0.png could be read before, but no longer"):
        drawn(evaluation_batches(dataset, np.arange(24), batch_size=8))


def test_no_images_give_no_batches(dataset):
    assert list(evaluation_batches(dataset, np.array([], int), batch_size=4)) == []


def test_packed_batches_are_far_faster_than_any_training(tmp_path):
    dataset = load_dataset(
        data_config(write_classes(tmp_path, {"a": 50, "b": 50}), image_size=(64, 64), cache="disk")
    )
    indices = np.tile(np.arange(100), 100)
    started = time.perf_counter()
    batches = training_batches(dataset, indices, batch_size=32, seed=0, epoch=0)
    assert sum(len(images) for images, _ in batches) == 10_000
    assert 10_000 / (time.perf_counter() - started) > 5_000
