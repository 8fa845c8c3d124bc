"""Batches of a small data set, and what is in them."""

from __future__ import annotations

import numpy as np

from cnnkit.augmentation import build_augmentation
from cnnkit.config.calls import Call
from cnnkit.data.batches import training_batches


def drawn(batches):
    """Return images and targets of all batches, joined."""
    images, targets = zip(*((batch[0].numpy(), batch[1].numpy()) for batch in batches), strict=True)
    return np.concatenate(images), np.concatenate(targets)


def training(dataset, **changes):
    options = {"batch_size": 5, "seed": 0, "epoch": 0, **changes}
    return training_batches(dataset, np.arange(24), **options)


def augmentation(dataset, *more):
    calls = [
        Call("random_flip", {"mode": "horizontal"}),
        Call("random_rotation", {"factor": 0.2}),
        Call("random_brightness", {"factor": 0.2}),
        *more,
    ]
    return build_augmentation(calls, dataset.settings)
