"""MixUp and CutMix of batches."""

from __future__ import annotations

import numpy as np
from batch_data import augmentation, drawn, training
from images import data_config, write_classes

from cnnkit.augmentation import build_augmentation
from cnnkit.config.calls import Call
from cnnkit.data.dataset import load_dataset


def test_mixup_is_the_mean_of_two_images_and_of_their_targets(tiny_dataset):
    augment = build_augmentation([Call("mixup", {"alpha": 0.5})], tiny_dataset.settings)
    plain, labels = drawn(training(tiny_dataset))
    images, targets = drawn(training(tiny_dataset, augment=augment))
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


def test_cutmix_puts_a_box_of_another_image_in_and_its_share_in_the_target(tiny_dataset):
    augment = build_augmentation([Call("cutmix", {"factor": [1.0, 1.0]})], tiny_dataset.settings)
    plain, labels = drawn(training(tiny_dataset, batch_size=24))
    images, targets = drawn(training(tiny_dataset, augment=augment, batch_size=24))
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


def test_mixing_follows_seed_epoch_and_step(tiny_dataset):
    augment = augmentation(tiny_dataset, Call("mixup", {}), Call("cutmix", {}))
    first, targets = drawn(training(tiny_dataset, augment=augment))
    again, same = drawn(training(tiny_dataset, augment=augment))
    assert np.array_equal(first, again)
    assert np.array_equal(targets, same)
    images = np.stack([tiny_dataset.pixels([0])[0]] * 6 + [tiny_dataset.pixels([23])[0]] * 6)
    labels = np.repeat(np.eye(2, dtype=np.float32), 6, axis=0)
    found = [
        augment.mixing(images, labels, seed=seed, epoch=epoch, step=step)[1].tobytes()
        for seed, epoch, step in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    ]
    assert len(set(found)) == 4


def test_each_batch_gets_one_of_both_mixings(tiny_dataset):
    augment = build_augmentation([Call("mixup", {}), Call("cutmix", {})], tiny_dataset.settings)
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
    of_images = np.array([1.0, 3.0])[dataset.labels]
    options = {"augment": augment, "weights": of_images, "batch_size": 24}
    (images, targets, weights), *_ = training(dataset, **options)
    assert np.allclose(weights, targets.numpy() @ [1.0, 3.0])
    assert ((targets > 0.05) & (targets < 0.95)).numpy().any()
    (same, one, alike), *_ = training(dataset, sigmoid=True, **options)
    assert np.array_equal(images, same)
    assert np.allclose(one[:, 0], targets[:, 1])
    assert np.allclose(alike, weights)
