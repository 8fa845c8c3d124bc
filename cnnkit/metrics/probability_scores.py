"""Metrics of one image at a time: its loss, and where its class ranks. NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnkit.metrics.blocks import row_blocks

# Below it the probability of a network is 0; log_loss of scikit-learn has the same limit.
_LEAST = float(np.finfo(np.float32).eps)


def log_losses(*, labels: ArrayLike, probabilities: ArrayLike) -> NDArray[Any]:
    """Return -ln p(true class) of each image, in nats; p is at least 1.2e-7.

    >>> log_losses(labels=[0, 1], probabilities=[[0.5, 0.5], [0.0, 1.0]]).round(4) + 0.0
    array([0.6931, 0.    ])
    """
    true = _of_labels(labels, probabilities)
    return -np.log(np.clip(true, _LEAST, 1.0))


def log_loss(*, labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean of `log_losses`.

    >>> round(log_loss(labels=[0], probabilities=[[0.5, 0.5]]), 4)
    0.6931
    """
    return float(log_losses(labels=labels, probabilities=probabilities).mean())


def brier_scores(*, labels: ArrayLike, probabilities: ArrayLike) -> NDArray[Any]:
    """Return the Brier score of each image; 0 is best.

    It is the sum over the classes of (p - 1)^2 for the true class and p^2 for all others, a number
    in [0, 2]. With two classes it is half of that, as in scikit-learn.

    Source: Brier 1950, Verification of Forecasts Expressed in Terms of Probability.

    >>> brier_scores(labels=[0], probabilities=[[0.7, 0.2, 0.1]]).round(4)
    array([0.14])
    """
    probabilities = np.asarray(probabilities)
    blocks = [
        np.square(block, dtype=np.float64).sum(axis=1) for _, block in row_blocks(probabilities)
    ]
    scores = np.concatenate(blocks) - 2 * _of_labels(labels, probabilities) + 1
    return scores / 2 if probabilities.shape[1] == 2 else scores


def ranks(*, labels: ArrayLike, probabilities: ArrayLike) -> NDArray[Any]:
    """Return how many classes rank above the true one, for each image.

    If probabilities are equal, the class that comes first ranks higher, as in argmax. So rank 0 is
    a right answer.

    >>> ranks(labels=[2, 0], probabilities=[[0.5, 0.3, 0.2], [0.2, 0.7, 0.1]])
    array([2, 1])
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    found = []
    for begin, block in row_blocks(probabilities):
        label = labels[begin : begin + len(block), None]
        true = np.take_along_axis(block, label, axis=1)
        # Counting what ranks higher is ten times as fast as sorting a thousand classes.
        earlier = np.arange(block.shape[1]) < label
        found.append((block > true).sum(axis=1) + ((block == true) & earlier).sum(axis=1))
    return np.concatenate(found)


def _of_labels(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[Any]:
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    return probabilities[np.arange(len(labels)), labels].astype(np.float64)
