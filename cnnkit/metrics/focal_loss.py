"""The focal loss as Keras computes it, of which cross-entropy is a special case."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SMALLEST = 1e-7  # of a probability, as in Keras


def focal_losses(
    *, targets: ArrayLike, probabilities: ArrayLike, alpha: ArrayLike = 1.0, gamma: float = 0.0
) -> NDArray[np.float64]:
    """Return the focal loss of each image, in nats: the sum of alpha * y * (1 - p)**gamma * -ln(p).

    An image whose class has a high probability counts less than with cross-entropy, which is the
    loss for gamma = 0 and alpha = 1.

    Args:
        targets: (num_images, num_classes), y: the share of each class in the label.
        probabilities: of the same shape, p.
        alpha: a factor of all losses, or one for each class.
        gamma: how much less a sure answer counts.

    Source: Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv:1708.02002.

    >>> probabilities = [[0.9, 0.1], [0.5, 0.5]]
    >>> focal_losses(targets=[[1, 0], [1, 0]], probabilities=probabilities, gamma=2).round(4)
    array([0.0011, 0.1733])
    """
    clipped = np.clip(np.asarray(probabilities, float), _SMALLEST, 1 - _SMALLEST)
    parts = np.asarray(targets, float) * (1 - clipped) ** gamma * -np.log(clipped)
    return (np.asarray(alpha) * parts).sum(axis=1)
