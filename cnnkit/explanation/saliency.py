"""Saliency: which pixels change the score most if they change a little. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def saliency(gradients: NDArray) -> NDArray:
    """Return the map (height, width): the largest absolute gradient over the channels.

    Args:
        gradients: (height, width, channels), of the score with respect to the pixels.

    Source: Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034, section 3.

    >>> saliency(np.array([[[1.0, -3.0, 2.0]]]))
    array([[3.]])
    """
    return np.abs(gradients).max(axis=2)
