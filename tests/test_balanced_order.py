"""Balanced sampling shows every class equally often."""

from __future__ import annotations

from collections import Counter

import numpy as np
from batch_data import augmentation, drawn

from cnnkit.data.batches import training_batches
from cnnkit.data.order import epoch_order

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


def test_occurrences_count_up_and_give_another_augmentation(tiny_dataset):
    order = balanced(3)
    for index in set(order.samples.tolist()):
        times = order.occurrences[order.samples == index]
        assert sorted(times) == list(range(len(times)))
    few = np.array([0, 8, 9, 10, 11, 12, 13])  # one image of the first class, six of the second
    images, targets = drawn(
        training_batches(
            tiny_dataset,
            few,
            batch_size=4,
            seed=0,
            epoch=0,
            augment=augmentation(tiny_dataset),
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
