"""A seed, an epoch and the contents of images enter; each image's key and random numbers leave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def image_keys(
    seed: int, epoch: int, hashes: Sequence[str], occurrences: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Return a key for each image: uint64 (len(hashes),).

    Args:
        seed: of the training.
        epoch: number of the epoch.
        hashes: sha256 of each image's file, in hexadecimal; the first 8 bytes count.
        occurrences: how often each image has been shown before in this epoch.
    """
    contents = np.array([int(digest[:16], 16) for digest in hashes], np.uint64)
    base = fold(fold(np.zeros(1, np.uint64), seed), epoch)
    return fold(fold(base, contents), np.asarray(occurrences, np.uint64))


def fold(keys: np.ndarray, numbers: np.ndarray | int) -> np.ndarray:
    """Return new keys, one for each pair of key and number; they tell nothing of one another.

    Args:
        keys: uint64 (n,) or (1,).
        numbers: uint64 (n,), or one number for all.

    Source: SplitMix64, Steele et al. 2014, Fast Splittable Pseudorandom Number Generators.
    """
    state = keys + _STEP * (np.asarray([numbers], np.uint64).reshape(-1) + np.uint64(1))
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


class Draws:
    """The random numbers of one operation for a batch of images.

    Each call gives the next number of every image. They depend on the image's key and on the place
    of the operation alone, so neither other images nor other operations move them.

    Args:
        keys: of the images, uint64 (n,).
        place: of the operation, a number that no other one of the chain has.
    """

    def __init__(self, keys: np.ndarray, place: int) -> None:
        """Begin at the first number."""
        self._keys = fold(keys, place)
        self._drawn = 0

    def bits(self) -> np.ndarray:
        """Return 64 random bits for each image: uint64 (n,)."""
        self._drawn += 1
        return fold(self._keys, self._drawn)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Return a number in [low, high) for each image: float64 (n,)."""
        unit = (self.bits() >> np.uint64(11)) * 2.0**-53
        return low + (high - low) * unit

    def chance(self, limits: tuple[float, float]) -> np.ndarray:
        """Return for each image whether it is changed, bool (n,): its chance is drawn, too."""
        return self.uniform(*limits) > self.uniform()
