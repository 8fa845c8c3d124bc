"""Grad-CAM++: as Grad-CAM, but several small objects count as much as one large. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grad_cam_plus_plus(activations: NDArray, gradients: NDArray) -> NDArray:
    """Return the map (height, width) of a layer; numbers are 0 or larger.

    max(0, sum over k of w_k A_k) with w_k = sum over positions of a_k max(0, g_k), where g_k is the
    gradient of the score with respect to map A_k, and
    a_k = g_k^2 / (2 g_k^2 + g_k^3 sum over positions of A_k), 0 where g_k is 0.

    Args:
        activations: (height, width, num_maps), what the layer gives.
        gradients: same shape, of the score of the class.

    Source: Chattopadhay et al. 2018, arXiv:1710.11063, equations 11, 15 and 19. There, the score is
    the exponential of the logit, which multiplies all weights by the same number.
    """
    total = activations.sum(axis=(0, 1))
    below = 2 * gradients**2 + gradients**3 * total
    # Where maps have negative numbers, the denominator may be 0 or less; such a place has no say.
    shares = np.divide(gradients**2, below, out=np.zeros_like(gradients), where=below > 0)
    weights = (shares * np.maximum(gradients, 0)).sum(axis=(0, 1))
    return np.maximum(activations @ weights, 0)
