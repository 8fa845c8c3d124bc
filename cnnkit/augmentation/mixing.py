"""Mix the images of a batch with one another, and their targets in the same proportion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnkit.augmentation.arguments import limits

# Part of the seed. Another number than in `cnnkit.data.order`, so that the random numbers differ.
_STREAM = 2


class MixUp:
    """Blend each image with another one of the batch.

    Args:
        alpha: the share of the image itself is drawn from Beta(alpha, alpha).

    Source: Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, arXiv:1710.09412.
    """

    def __init__(self, alpha: float = 0.2) -> None:
        """Keep alpha."""
        self._alpha = alpha

    def mix(
        self, images: np.ndarray, others: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mixed images, and the share of each image in its mixture: float64 (n,)."""
        shares = random.beta(self._alpha, self._alpha, len(images))
        own = shares.astype(np.float32)[:, None, None, None]
        return np.rint(own * images + (1 - own) * others).astype(np.uint8), shares


class CutMix:
    """Replace a box in each image by the same box of another image of the batch.

    Args:
        factor: the box is 1 - s of the image, with s from Beta(a, a). For each batch, a is drawn
            between 0 and the factor, or between the two limits.

    Source: Yun et al. 2019, CutMix, arXiv:1905.04899. As in Keras, each image has a box of its own,
    which is inside the image.
    """

    def __init__(self, factor: Any = 1.0) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, 0, 1)

    def mix(
        self, images: np.ndarray, others: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mixed images, and the share of pixels that each has kept: float64 (n,)."""
        number, height, width = images.shape[:3]
        alpha = random.uniform(*self._factor) + 1e-6  # Beta(0, 0) does not exist
        side = np.sqrt(1 - random.beta(alpha, alpha, number))
        tops, bottoms = _sides(side, height, random.random(number))
        lefts, rights = _sides(side, width, random.random(number))
        mixed = images.copy()
        for index in range(number):
            box = np.s_[index, tops[index] : bottoms[index], lefts[index] : rights[index]]
            mixed[box] = others[box]
        return mixed, 1 - (bottoms - tops) * (rights - lefts) / (height * width)


class Mixing:
    """The mixing operations of a config; each batch gets one of them, by chance.

    Args:
        operations: at least one.
    """

    def __init__(self, operations: Sequence[MixUp | CutMix]) -> None:
        """Keep the operations."""
        self._operations = tuple(operations)

    def __call__(
        self, images: np.ndarray, targets: np.ndarray, *, seed: int, epoch: int, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mix one batch; equal batch, seed, epoch and step give an equal result.

        Args:
            images: uint8 (n, height, width, channels).
            targets: float32 (n, outputs).
            seed: of the training.
            epoch: number of the epoch.
            step: number of the batch in the epoch.
        """
        random = np.random.default_rng([seed, epoch, step, _STREAM])
        operation = self._operations[random.integers(len(self._operations))]
        partner = random.permutation(len(images))  # an image that is its own partner stays as it is
        mixed, shares = operation.mix(images, images[partner], random)
        own = shares[:, None]
        return mixed, (own * targets + (1 - own) * targets[partner]).astype(np.float32)


def _sides(parts: np.ndarray, length: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where boxes begin and end along one axis, in whole pixels.

    Args:
        parts: the lengths of the boxes as parts of the image's.
        length: of the image, in pixels.
        places: random numbers in [0, 1).
    """
    sizes = np.rint(parts * length).astype(int)
    starts = np.floor(places * (length - sizes + 1)).astype(int)
    return starts, starts + sizes
