"""Batches of training and evaluation: what is in them, and in which order."""

from __future__ import annotations

import time

import numpy as np
import pytest
from batch_data import augmentation, drawn, training
from images import data_config, write_classes, write_image

from cnnkit.backend import tf
from cnnkit.config.calls import Call
from cnnkit.data.batches import evaluation_batches, training_batches
from cnnkit.data.dataset import load_dataset
from cnnkit.data.order import epoch_order


def test_an_epoch_holds_every_image_once_with_its_label(tiny_dataset):
    images, targets = drawn(training(tiny_dataset))
    assert images.shape == (24, 16, 16, 3)
    assert images.dtype == np.uint8
    assert targets.dtype == np.float32
    by_content = {pixels.tobytes(): i for i, pixels in enumerate(tiny_dataset.pixels(range(24)))}
    order = [by_content[pixels.tobytes()] for pixels in images]
    assert sorted(order) == list(range(24))
    assert order != list(range(24))
    assert np.array_equal(targets, np.eye(3)[tiny_dataset.labels[order]])


def test_the_last_batch_is_kept_and_their_number_known(tiny_dataset):
    batches = training(tiny_dataset)
    assert [len(images) for images, _ in batches] == [5, 5, 5, 5, 4]
    assert batches.cardinality().numpy() == 5
    assert batches.element_spec[0].shape.as_list() == [None, 16, 16, 3]
    assert evaluation_batches(tiny_dataset, np.arange(24), batch_size=7).cardinality().numpy() == 4


def test_the_order_follows_seed_and_epoch_only(tiny_dataset):
    first, _ = drawn(training(tiny_dataset))
    assert np.array_equal(first, drawn(training(tiny_dataset))[0])
    assert np.array_equal(first, drawn(training(tiny_dataset, batch_size=24))[0])
    assert not np.array_equal(first, drawn(training(tiny_dataset, epoch=1))[0])
    assert not np.array_equal(first, drawn(training(tiny_dataset, seed=1))[0])


def test_evaluation_keeps_the_given_order(tiny_dataset):
    chosen = np.array([23, 0, 0, 7])
    images, targets = drawn(evaluation_batches(tiny_dataset, chosen, batch_size=3))
    assert np.array_equal(images, tiny_dataset.pixels(chosen))
    assert targets.argmax(axis=1).tolist() == [2, 0, 0, 0]


def test_one_sigmoid_unit_gets_zero_or_one(tmp_path):
    dataset = load_dataset(data_config(write_classes(tmp_path, {"cat": 6, "dog": 6})))
    chosen = np.array([0, 11, 5, 6])
    _, targets = drawn(evaluation_batches(dataset, chosen, batch_size=3, sigmoid=True))
    assert targets.dtype == np.float32
    assert targets.tolist() == [[0], [1], [0], [1]]


def test_weights_come_as_the_third_item(tiny_dataset):
    of_images = np.array([1.0, 2.0, 0.5])[tiny_dataset.labels]
    for _, targets, weights in training(tiny_dataset, weights=of_images):
        assert weights.dtype == tf.float32
        assert np.allclose(weights, targets.numpy() @ [1.0, 2.0, 0.5])


def augmented_by_image(dataset, augment, **changes):
    """Return the augmented pixels in the order of the samples."""
    seed, epoch = changes.get("seed", 0), changes.get("epoch", 0)
    order = epoch_order(np.arange(24), dataset.labels, seed=seed, epoch=epoch).samples
    images, _ = drawn(training(dataset, augment=augment, **changes))
    return images[np.argsort(order)]


ELASTIC = Call("random_elastic_transform", {"scale": 0.5})  # a Keras layer


@pytest.mark.parametrize("more", [[], [ELASTIC]], ids=["host", "keras"])
def test_augmentation_is_the_same_in_parallel_and_in_any_batch_size(tiny_dataset, more):
    first = augmented_by_image(tiny_dataset, augmentation(tiny_dataset, *more))
    for batch_size in (5, 1, 24):
        augment = augmentation(tiny_dataset, *more)
        again = augmented_by_image(tiny_dataset, augment, batch_size=batch_size)
        assert np.array_equal(first, again)
    changed = (first != tiny_dataset.pixels(range(24))).any(axis=(1, 2, 3))
    assert changed.all()
    samples = zip(tiny_dataset.pixels(range(24)), tiny_dataset.samples, strict=True)
    for expected, (image, sample) in zip(first, samples, strict=True):
        found = augment.change_one(image, seed=0, epoch=0, sha256=sample.sha256)
        assert np.array_equal(found, expected)


def test_augmentation_differs_between_epochs_and_seeds(tiny_dataset):
    augment = augmentation(tiny_dataset)
    first = augmented_by_image(tiny_dataset, augment)
    for change in ({"epoch": 1}, {"seed": 1}):
        other = augmented_by_image(tiny_dataset, augment, **change)
        assert (first != other).any(axis=(1, 2, 3)).mean() > 0.9


def test_more_files_change_no_other_image(tmp_path):
    folder = write_classes(tmp_path / "few", {"a": 6, "b": 6})
    before = load_dataset(data_config(folder))
    for index in range(5):
        write_image(folder / "a" / f"0{index}-new.png", seed=100 + index)
    after = load_dataset(data_config(folder))
    found = []
    for dataset in (before, after):
        chosen = np.arange(len(dataset.samples))
        augment, options = augmentation(dataset), {"batch_size": 5, "seed": 0, "epoch": 3}
        images, _ = drawn(training_batches(dataset, chosen, augment=augment, **options))
        order = epoch_order(chosen, dataset.labels, seed=0, epoch=3).samples
        hashes = [dataset.samples[index].sha256 for index in order]
        found.append(dict(zip(hashes, images, strict=True)))
    assert len(found[0]) == 12
    assert all(np.array_equal(found[1][key], pixels) for key, pixels in found[0].items())


def test_a_step_is_the_same_without_the_steps_before_it(tiny_dataset):
    """A resumed run begins in the middle: batch s of epoch e needs no other batch."""
    mixing = [Call("mixup", {}), Call("cutmix", {})]
    for epoch in (0, 2):
        options = {"augment": augmentation(tiny_dataset, *mixing), "epoch": epoch, "balanced": True}
        whole = list(training(tiny_dataset, **options))
        rest = list(training(tiny_dataset, **options).skip(3))
        for expected, found in zip(whole[3:], rest, strict=True):
            assert all(np.array_equal(*pair) for pair in zip(expected, found, strict=True))


def test_an_image_that_vanished_is_named(tmp_path):
    folder = write_classes(tmp_path, {"cat": 4, "dog": 4}, seed=500)  # that no cache has
    dataset = load_dataset(data_config(folder, cache="off"))
    (folder / "cat" / "00.png").unlink()
    with pytest.raises(tf.errors.OpError, match=r"cat/00.png can no longer be read"):
        drawn(evaluation_batches(dataset, np.arange(8), batch_size=8))


def test_no_images_give_no_batches(tiny_dataset):
    assert list(evaluation_batches(tiny_dataset, np.array([], int), batch_size=4)) == []


def test_packed_batches_are_far_faster_than_any_training(tmp_path):
    dataset = load_dataset(
        data_config(write_classes(tmp_path, {"a": 50, "b": 50}), image_size=(64, 64), cache="disk")
    )
    indices = np.tile(np.arange(100), 100)
    started = time.perf_counter()
    batches = training_batches(dataset, indices, batch_size=32, seed=0, epoch=0)
    assert sum(len(images) for images, _ in batches) == 10_000
    assert 10_000 / (time.perf_counter() - started) > 5_000
