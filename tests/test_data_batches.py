"""Batches: order by seed and epoch, all images once, targets, weights, repeatable pixels."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from images import data_config, write_classes, write_image

from cnnkit.augmentation import build_augmentation
from cnnkit.backend import tf
from cnnkit.config.calls import Call
from cnnkit.data.batches import evaluation_batches, training_batches
from cnnkit.data.dataset import load_dataset
from cnnkit.data.order import epoch_order


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


def augmentation(dataset, *more):
    calls = [
        Call("random_flip", {"mode": "horizontal"}),
        Call("random_rotation", {"factor": 0.2}),
        Call("random_brightness", {"factor": 0.2}),
        *more,
    ]
    return build_augmentation(calls, dataset.settings)


def augmented_by_image(dataset, augment, **changes):
    """Return the augmented pixels in the order of the samples."""
    seed, epoch = changes.get("seed", 0), changes.get("epoch", 0)
    order = epoch_order(np.arange(24), dataset.labels, seed=seed, epoch=epoch).samples
    images, _ = drawn(training(dataset, augment=augment, **changes))
    return images[np.argsort(order)]


ELASTIC = Call("random_elastic_transform", {"scale": 0.5})  # a Keras layer


@pytest.mark.parametrize("more", [[], [ELASTIC]], ids=["host", "keras"])
def test_augmentation_is_the_same_in_parallel_and_in_any_batch_size(dataset, more):
    first = augmented_by_image(dataset, augmentation(dataset, *more))
    for batch_size in (5, 1, 24):
        augment = augmentation(dataset, *more)
        again = augmented_by_image(dataset, augment, batch_size=batch_size)
        assert np.array_equal(first, again)
    changed = (first != dataset.pixels(range(24))).any(axis=(1, 2, 3))
    assert changed.all()
    samples = zip(dataset.pixels(range(24)), dataset.samples, strict=True)
    for expected, (image, sample) in zip(first, samples, strict=True):
        found = augment.change_one(image, seed=0, epoch=0, sha256=sample.sha256)
        assert np.array_equal(found, expected)


def test_augmentation_differs_between_epochs_and_seeds(dataset):
    augment = augmentation(dataset)
    first = augmented_by_image(dataset, augment)
    for change in ({"epoch": 1}, {"seed": 1}):
        other = augmented_by_image(dataset, augment, **change)
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


def test_a_step_is_the_same_without_the_steps_before_it(dataset):
    """A resumed run begins in the middle: batch s of epoch e needs no other batch."""
    mixing = [Call("mixup", {}), Call("cutmix", {})]
    for epoch in (0, 2):
        options = {"augment": augmentation(dataset, *mixing), "epoch": epoch, "balanced": True}
        whole = list(training(dataset, **options))
        rest = list(training(dataset, **options).skip(3))
        for expected, found in zip(whole[3:], rest, strict=True):
            assert all(np.array_equal(*pair) for pair in zip(expected, found, strict=True))


# --- balanced sampling


LABELS = np.repeat([0, 1, 4], [3, 40, 8])
INDICES = np.random.default_rng(0).permutation(1000)[:51]


def balanced(epoch, seed=0, indices=INDICES, labels=LABELS):
    return epoch_order(indices, labels, seed=seed, epoch=epoch, balanced=True)


def test_every_class_is_shown_equally_often():
    label_of = dict(zip(INDICES.tolist(), LABELS.tolist(), strict=True))
    assert [balanced(0).samples.size, balanced(5).samples.size] == [51, 51]
    for epoch in range(4):
        counts = Counter(label_of[index] for index in balanced(epoch).samples.tolist())
        assert counts == {0: 17, 1: 17, 4: 17}


def test_the_additional_images_are_of_other_classes_in_other_epochs():
    labels, indices = LABELS[:50], INDICES[:50]
    label_of = dict(zip(indices.tolist(), labels.tolist(), strict=True))
    total = Counter()
    for epoch in range(6):
        shown = balanced(epoch, indices=indices, labels=labels).samples.tolist()
        counts = Counter(label_of[index] for index in shown)
        assert sorted(counts.values()) == [16, 17, 17]
        total += counts
        assert max(total.values()) - min(total.values()) <= 1
    assert set(total.values()) == {100}


def test_all_images_of_a_class_are_shown_before_one_is_repeated():
    of_class = {label: set(INDICES[LABELS == label].tolist()) for label in (0, 1, 4)}
    shown = Counter()
    for epoch in range(7):
        order = balanced(epoch)
        shown.update(order.samples.tolist())
        for images in of_class.values():
            counts = [shown[index] for index in images]
            assert max(counts) - min(counts) <= 1
    assert min(shown.values()) == 2  # 7 * 17 times one of 40


def test_occurrences_count_up_and_give_another_augmentation(dataset):
    order = balanced(3)
    for index in set(order.samples.tolist()):
        times = order.occurrences[order.samples == index]
        assert sorted(times) == list(range(len(times)))
    few = np.array([0, 8, 9, 10, 11, 12, 13])  # one image of the first class, six of the second
    images, targets = drawn(
        training_batches(
            dataset,
            few,
            batch_size=4,
            seed=0,
            epoch=0,
            augment=augmentation(dataset),
            balanced=True,
        )
    )
    same = images[targets.argmax(axis=1) == 0]
    assert len(same) in (3, 4)
    assert len({pixels.tobytes() for pixels in same}) == len(same)


def test_balanced_order_follows_seed_and_epoch_only():
    first = balanced(2)
    assert np.array_equal(first, balanced(2))
    assert not np.array_equal(first.samples, balanced(3).samples)
    assert not np.array_equal(first.samples, balanced(2, seed=1).samples)
    plain = epoch_order(INDICES, LABELS, seed=0, epoch=2)
    assert sorted(plain.samples) == sorted(INDICES)
    assert not plain.occurrences.any()


def test_no_images_have_no_order():
    for is_balanced in (False, True):
        none = np.array([], int)
        order = epoch_order(none, none, seed=0, epoch=0, balanced=is_balanced)
        assert order.samples.size == order.occurrences.size == 0


# --- mixing


def test_mixup_is_the_mean_of_two_images_and_of_their_targets(dataset):
    augment = build_augmentation([Call("mixup", {"alpha": 0.5})], dataset.settings)
    plain, labels = drawn(training(dataset))
    images, targets = drawn(training(dataset, augment=augment))
    shares = []
    for step in range(5):
        at = np.s_[step * 5 : step * 5 + 5]
        found = [
            [k for k in range(len(labels[at])) if is_mean(*given, plain[at][k], labels[at][k])]
            for given in zip(plain[at], labels[at], images[at], targets[at], strict=True)
        ]
        assert all(found[: len(plain[at])])
        shares += targets[at].max(axis=1).tolist()
    assert 0.34 < min(shares) < 0.9  # something was mixed
    assert np.allclose(targets.sum(axis=1), 1)


def is_mean(own, label, mixed, target, other, other_label):
    """Tell whether both image and target are between own and other by the same share."""
    gap = own.astype(float) - other
    if not gap.any():
        return np.array_equal(own, mixed)
    share = ((mixed - other.astype(float)) * gap).sum() / (gap**2).sum()
    image = share * own + (1 - share) * other
    expected = share * label + (1 - share) * other_label
    return abs(image - mixed).max() < 1 and abs(expected - target).max() < 0.01


def test_cutmix_puts_a_box_of_another_image_in_and_its_share_in_the_target(dataset):
    augment = build_augmentation([Call("cutmix", {"factor": [1.0, 1.0]})], dataset.settings)
    plain, labels = drawn(training(dataset, batch_size=24))
    images, targets = drawn(training(dataset, augment=augment, batch_size=24))
    boxes = set()
    for own, label, mixed, target in zip(plain, labels, images, targets, strict=True):
        is_foreign = (mixed != own).any(axis=-1)
        if not is_foreign.any():
            continue
        rows, columns = (np.flatnonzero(is_foreign.any(axis=axis)) for axis in (1, 0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        partner = [k for k in range(24) if np.array_equal(plain[k][box], mixed[box])]
        assert len(partner) == 1
        share = is_foreign[box].size / 16**2
        assert np.allclose(target, (1 - share) * label + share * labels[partner[0]], atol=1e-6)
        boxes.add((rows[0], columns[0], len(rows), len(columns)))
    assert len(boxes) > 12  # one for each image


def test_mixing_follows_seed_epoch_and_step(dataset):
    augment = augmentation(dataset, Call("mixup", {}), Call("cutmix", {}))
    first, targets = drawn(training(dataset, augment=augment))
    again, same = drawn(training(dataset, augment=augment))
    assert np.array_equal(first, again)
    assert np.array_equal(targets, same)
    images = np.stack([dataset.pixels([0])[0]] * 6 + [dataset.pixels([23])[0]] * 6)
    labels = np.repeat(np.eye(2, dtype=np.float32), 6, axis=0)
    found = [
        augment.mixing(images, labels, seed=seed, epoch=epoch, step=step)[1].tobytes()
        for seed, epoch, step in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    ]
    assert len(set(found)) == 4


def test_each_batch_gets_one_of_both_mixings(dataset):
    augment = build_augmentation([Call("mixup", {}), Call("cutmix", {})], dataset.settings)
    images = np.repeat(np.array([0, 255], np.uint8), 16)[:, None, None, None]
    images = np.broadcast_to(images, (32, 16, 16, 3)).copy()
    labels = np.repeat(np.eye(2, dtype=np.float32), 16, axis=0)
    kinds = []
    for step in range(40):
        mixed, _ = augment.mixing(images, labels, seed=0, epoch=0, step=step)
        levels = {len(np.unique(image)) for image in mixed if 0 < image.mean() < 255}
        is_cut = set(np.unique(mixed)) <= {0, 255}
        assert is_cut or levels <= {1}
        kinds.append(is_cut)
    assert 10 < sum(kinds) < 30


def test_weights_mix_with_the_labels(tmp_path):
    dataset = load_dataset(data_config(write_classes(tmp_path, {"cat": 12, "dog": 12})))
    augment = build_augmentation([Call("mixup", {"alpha": 1.0})], dataset.settings)
    options = {"augment": augment, "class_weights": [1.0, 3.0], "batch_size": 24}
    (images, targets, weights), *_ = training(dataset, **options)
    assert np.allclose(weights, targets.numpy() @ [1.0, 3.0])
    assert ((targets > 0.05) & (targets < 0.95)).numpy().any()
    (same, one, alike), *_ = training(dataset, sigmoid=True, **options)
    assert np.array_equal(images, same)
    assert np.allclose(one[:, 0], targets[:, 1])
    assert np.allclose(alike, weights)


def test_an_image_that_vanished_is_named(tmp_path):
    folder = write_classes(tmp_path, {"cat": 4, "dog": 4}, seed=500)  # that no cache has
    dataset = load_dataset(data_config(folder, cache="off"))
    (folder / "cat" / "00.png").unlink()
    with pytest.raises(tf.errors.OpError, match=r"cat/00.png can no longer be read"):
        drawn(evaluation_batches(dataset, np.arange(8), batch_size=8))


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
