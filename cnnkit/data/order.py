"""Decide which images an epoch shows, and in which order, from the seed and the epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_PASSES, _EXTRAS = 1, 3  # part of the seeds, so that no two draws share their random numbers


class Order(NamedTuple):
    """The images of an epoch, first to last.

    Args:
        samples: indices, int64 (n,).
        occurrences: how often each image was already shown in this epoch, int64 (n,).
    """

    samples: np.ndarray
    occurrences: np.ndarray


def epoch_order(
    indices: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, balanced: bool = False
) -> Order:
    """Return the order of one epoch, a function of seed and epoch alone.

    Args:
        indices: which samples, int64 (n,).
        labels: of these samples, int64 (n,).
        seed: of the training.
        epoch: number of the epoch, from 0.
        balanced: show every class equally often, n images in total. If n is not a multiple of the
            number of classes, some classes are shown once more, in each epoch others. All images
            of a class are shown before one is repeated, also across epochs.
    """
    indices = np.asarray(indices, np.int64)
    chosen = indices
    if balanced and len(indices):
        chosen = _balanced(indices, np.asarray(labels), seed, epoch)
    occurrences = _occurrences(chosen)
    order = np.random.default_rng([seed, epoch]).permutation(len(chosen))
    return Order(chosen[order], occurrences[order])


def _balanced(indices: np.ndarray, labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Return the images of an epoch, class by class."""
    classes = np.unique(labels)
    each, extra = divmod(len(indices), len(classes))
    turns = np.random.default_rng([seed, 0, 0, _EXTRAS]).permutation(len(classes))
    chosen = []
    for turn, label in zip(turns, classes, strict=True):
        begin, end = (
            e * each + _turns_before(turn, e * extra, len(classes)) for e in (epoch, epoch + 1)
        )
        chosen.append(_going_round(indices[labels == label], begin, end, seed, label))
    return np.concatenate(chosen)


def _turns_before(turn: int, given: int, number: int) -> int:
    """Return how many of the first `given` extra images a class gets, if classes take turns."""
    return (given + number - 1 - turn) // number


def _going_round(samples: np.ndarray, begin: int, end: int, seed: int, label: int) -> np.ndarray:
    """Return positions `begin` to `end` of endless passes over a class, each in its own order."""
    size = len(samples)
    first, last = begin // size, -(-end // size)
    passes = [
        np.random.default_rng([seed, label, number, _PASSES]).permutation(samples)
        for number in range(first, last)
    ]
    # The empty part: if begin is end there may be no passes, and NumPy joins at least one array.
    return np.concatenate([samples[:0], *passes])[begin - first * size : end - first * size]


def _occurrences(samples: np.ndarray) -> np.ndarray:
    """Return for each position how often its sample is before it."""
    by_sample = np.argsort(samples, kind="stable")
    ordered = samples[by_sample]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(samples)]
    places = np.arange(len(samples))
    counts = np.empty(len(samples), np.int64)
    counts[by_sample] = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return counts
