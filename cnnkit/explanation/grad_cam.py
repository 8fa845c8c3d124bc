"""Grad-CAM: where the maps of a layer speak for a class. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grad_cam(activations: NDArray, gradients: NDArray) -> NDArray:
    """Return the map (height, width) of a layer; numbers are 0 or larger.

    max(0, sum over k of w_k A_k), where A_k is map k of the layer, and w_k is the mean over all
    positions of the gradient of the score with respect to A_k.

    Args:
        activations: (height, width, num_maps), what the layer gives.
        gradients: same shape, of the score of the class.

    Source: Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2.

    >>> grad_cam(np.array([[[1.0, 2.0]], [[3.0, 0.0]]]), np.array([[[1.0, -1.0]], [[3.0, 0.0]]]))
    array([[1.],
           [6.]])
    """
    weights = gradients.mean(axis=(0, 1))
    return np.maximum(activations @ weights, 0)
