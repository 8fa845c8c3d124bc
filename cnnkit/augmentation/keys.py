"""Give each image a key made of seed, epoch and content, and draw its random numbers from it.

A random number is a function of the key, so it does not depend on threads, batches or order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# The constants of SplitMix64, see `fold`.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def image_keys(
    seed: int, epoch: int, hashes: Sequence[str], occurrences: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Return a key for each image: uint64 (len(hashes),).

    Args:
        seed: of the training.
        epoch: number of the epoch.
        hashes: sha256 of each image's file, in hexadecimal; only the first 8 bytes are used.
        occurrences: how often each image has been shown before in this epoch.
    """
    # 64 bits: that two of a million images share them has a chance of 3 in 100 million.
    contents = np.array([int(digest[:16], 16) for digest in hashes], np.uint64)
    base = fold(fold(np.zeros(1, np.uint64), seed), epoch)
    return fold(fold(base, contents), np.asarray(occurrences, np.uint64))


def fold(keys: np.ndarray, numbers: np.ndarray | int) -> np.ndarray:
    """Return a new key for each pair of a key and a number; different pairs give unrelated keys.

    Args:
        keys: uint64 (n,) or (1,).
        numbers: uint64 (n,), or one number for all keys.

    Source: SplitMix64, Steele et al. 2014, Fast Splittable Pseudorandom Number Generators.
    """
    # `numbers` plus 1, so that the number 0 changes the key too.
    state = keys + _STEP * (np.asarray([numbers], np.uint64).reshape(-1) + np.uint64(1))
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


class Draws:
    """The random numbers of one operation for a batch of images.

    Each call returns the next number of every image. The numbers depend only on the key of the
    image and the place of the operation, so other images and other operations cannot change them.
    The order of the calls in an operation is part of its result: another order gives other images.

    Args:
        keys: of the images, uint64 (n,).
        place: of the operation; no other operation of the config has the same number.
    """

    def __init__(self, keys: np.ndarray, place: int) -> None:
        """Start at the first number."""
        self._keys = fold(keys, place)
        self._drawn = 0

    def bits(self) -> np.ndarray:
        """Return 64 random bits for each image: uint64 (n,)."""
        self._drawn += 1
        return fold(self._keys, self._drawn)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Return a number in [low, high) for each image: float64 (n,)."""
        unit = (self.bits() >> np.uint64(11)) * 2.0**-53  # a float64 holds 53 bits exactly
        return low + (high - low) * unit

    def chance(self, limits: tuple[float, float]) -> np.ndarray:
        """Return for each image whether it is changed: bool (n,).

        As in Keras, the chance itself is drawn from the limits: [0, 1] changes half of the images.
        """
        return self.uniform(*limits) > self.uniform()
