"""Integrated gradients: how much each pixel adds to the score, compared with black. NumPy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LARGEST_ERROR = 0.01  # of the difference of scores; then more points are taken
_FEWEST, _MOST = 32, 512  # points on the way from black to the image
_BATCH = 16


def integrated_gradients(
    gradients_of: Callable[[NDArray], tuple[NDArray, NDArray]], image: NDArray
) -> tuple[NDArray, float]:
    """Return the map (height, width), summed over channels, and its completeness error.

    (x - x0) times the integral of the gradients on the straight way from the black image x0 to the
    image x, by the trapezoidal rule. The sum of the map is the score of the image minus that of the
    black image; the completeness error is the difference of the two, as a share of that.

    The score is known at each point, so the error of each piece between two points is known, too.
    The 16 pieces with the largest errors are halved until the completeness error is at most 1%, or
    512 points are taken.

    Args:
        gradients_of: images (num_images, height, width, channels) -> (their scores (num_images,),
            gradients with the shape of the images).
        image: (height, width, channels), levels 0 to 255.

    Source: Sundararajan, Taly & Yan 2017, arXiv:1703.01365.
    """
    image = image.astype(np.float32)
    shares = np.linspace(0, 1, _FEWEST)
    scores, slopes = _on_the_way(gradients_of, image, shares)
    while True:
        # What each point adds up to, if its gradient were that of the whole way.
        sums = slopes.sum(axis=(1, 2), dtype=np.float64)
        lengths = np.diff(shares)
        errors = np.diff(scores) - lengths * (sums[1:] + sums[:-1]) / 2
        # A score that stays the same has no share; then the error is absolute.
        error = abs(float(errors.sum())) / (abs(float(scores[-1] - scores[0])) or 1.0)
        if error <= LARGEST_ERROR or len(shares) >= _MOST:
            weights = (np.pad(lengths, (1, 0)) + np.pad(lengths, (0, 1))) / 2
            return np.tensordot(weights, slopes, axes=1).astype(np.float32), error
        worst = np.sort(np.argsort(-np.abs(errors), kind="stable")[:_BATCH])
        middles = (shares[worst] + shares[worst + 1]) / 2
        new_scores, new_slopes = _on_the_way(gradients_of, image, middles)
        shares = np.insert(shares, worst + 1, middles)
        scores = np.insert(scores, worst + 1, new_scores)
        slopes = np.insert(slopes, worst + 1, new_slopes, axis=0)


def _on_the_way(
    gradients_of: Callable[[NDArray], tuple[NDArray, NDArray]], image: NDArray, shares: NDArray
) -> tuple[NDArray, NDArray]:
    """Return scores (num_points,) and slopes (num_points, height, width) at shares of the way."""
    scores, slopes = [], []
    for start in range(0, len(shares), _BATCH):
        batch = shares[start : start + _BATCH, None, None, None] * image
        found, gradients = gradients_of(batch.astype(np.float32))
        scores.append(found)
        slopes.append((gradients * image).sum(axis=3))
    return np.concatenate(scores).astype(np.float64), np.concatenate(slopes)
