"""Integrated gradients: how much each pixel adds to the score, compared with black. NumPy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LARGEST_ERROR = 0.01  # of the difference of scores; then more points are taken
_FEWEST, _MOST = 32, 864  # points on the way from black to the image
_BATCH = 16


def integrated_gradients(
    gradients_of: Callable[[NDArray], NDArray],
    scores_of: Callable[[NDArray], NDArray],
    image: NDArray,
) -> tuple[NDArray, float]:
    """Return the map (height, width), summed over channels, and its completeness error.

    (x - x0) times the mean of the gradients on the straight way from the black image x0 to the
    image x. The sum of the map is the score of the image minus that of the black image; the
    completeness error is the difference of the two, as a share of that. The number of points on the
    way is tripled until the error is at most 1%, or 864 are taken.

    Args:
        gradients_of: images (num_images, height, width, channels) -> gradients of the same shape.
        scores_of: images -> scores (num_images,).
        image: (height, width, channels), levels 0 to 255.

    Source: Sundararajan, Taly & Yan 2017, arXiv:1703.01365. The integral is a sum at midpoints.
    """
    image = image.astype(np.float32)
    black, own = map(float, scores_of(np.stack([np.zeros_like(image), image])))
    shares = _midpoints(_FEWEST)
    total, num_points = _sum_of_gradients(gradients_of, image, shares), _FEWEST
    while True:
        parts = image * total / num_points
        # A score that stays the same has no share; then the error is absolute.
        error = abs(float(parts.sum()) - (own - black)) / (abs(own - black) or 1.0)
        if error <= LARGEST_ERROR or num_points >= _MOST:
            return parts.sum(axis=2).astype(np.float32), error
        # Of three times as many midpoints, the second of every three are those that we have.
        num_points *= 3
        new = _midpoints(num_points)[np.arange(num_points) % 3 != 1]
        total += _sum_of_gradients(gradients_of, image, new)


def _midpoints(number: int) -> NDArray:
    """Return the middles of `number` equal parts of the way from 0 to 1."""
    return (np.arange(number, dtype=np.float32) + 0.5) / number


def _sum_of_gradients(
    gradients_of: Callable[[NDArray], NDArray], image: NDArray, shares: NDArray
) -> NDArray:
    total = np.zeros(image.shape, np.float64)
    for start in range(0, len(shares), _BATCH):
        batch = shares[start : start + _BATCH, None, None, None] * image
        total += gradients_of(batch).sum(axis=0, dtype=np.float64)
    return total
