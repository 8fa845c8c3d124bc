"""A batch of images and targets enters; the same leaves, its images mixed with one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnkit.augmentation.arguments import limits

_STREAM = 2  # keeps these random numbers apart from those of the order


class MixUp:
    """Lays another image of the batch over each one.

    Args:
        alpha: an image's own share is drawn from Beta(alpha, alpha).

    Source: Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, arXiv:1710.09412.
    """

    def __init__(self, alpha: float = 0.2) -> None:
        """Take alpha over."""
        self._alpha = alpha

    def mix(
        self, images: np.ndarray, others: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mixed images and each one's own share, float64 (n,)."""
        shares = random.beta(self._alpha, self._alpha, len(images))
        own = shares.astype(np.float32)[:, None, None, None]
        return np.rint(own * images + (1 - own) * others).astype(np.uint8), shares


class CutMix:
    """Puts a box of another image of the batch into each one.

    Args:
        factor: the box takes 1 - s of the picture, s from Beta(a, a), a drawn for the batch from
            0 to factor, or from the two limits.

    Source: Yun et al. 2019, CutMix, arXiv:1905.04899. As in Keras each image has its own box, which
    lies inside the picture.
    """

    def __init__(self, factor: Any = 1.0) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, 0, 1)

    def mix(
        self, images: np.ndarray, others: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mixed images and each one's own share of its pixels, float64 (n,)."""
        number, height, width = images.shape[:3]
        alpha = random.uniform(*self._factor) + 1e-6
        side = np.sqrt(1 - random.beta(alpha, alpha, number))
        tops, bottoms = _sides(side, height, random.random(number))
        lefts, rights = _sides(side, width, random.random(number))
        mixed = images.copy()
        for index in range(number):
            box = np.s_[index, tops[index] : bottoms[index], lefts[index] : rights[index]]
            mixed[box] = others[box]
        return mixed, 1 - (bottoms - tops) * (rights - lefts) / (height * width)


class Mixing:
    """The mixing operations of a config; each batch gets one of them.

    Args:
        operations: at least one.
    """

    def __init__(self, operations: Sequence[MixUp | CutMix]) -> None:
        """Take the operations over."""
        self._operations = tuple(operations)

    def __call__(
        self, images: np.ndarray, targets: np.ndarray, *, seed: int, epoch: int, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mix one batch; the same for the same batch, seed, epoch and step.

        Args:
            images: uint8 (n, height, width, channels).
            targets: float32 (n, outputs).
            seed: of the training.
            epoch: number of the epoch.
            step: number of the batch in the epoch.
        """
        random = np.random.default_rng([seed, epoch, step, _STREAM])
        operation = self._operations[random.integers(len(self._operations))]
        partner = random.permutation(len(images))
        mixed, shares = operation.mix(images, images[partner], random)
        own = shares[:, None]
        return mixed, (own * targets + (1 - own) * targets[partner]).astype(np.float32)


def _sides(parts: np.ndarray, length: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where boxes begin and end, whole pixels, for parts of the length and random places."""
    sizes = np.rint(parts * length).astype(int)
    starts = np.floor(places * (length - sizes + 1)).astype(int)
    return starts, starts + sizes
