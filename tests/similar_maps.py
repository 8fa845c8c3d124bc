"""How alike two maps look: the structural similarity (SSIM)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

_WINDOW = 7  # pixels, as in scikit-image
_SMALL = 0.01**2, 0.03**2  # keep the fractions finite where maps are flat


def scaled(heat):
    """Return a map from 0 to 1; a flat one is 0."""
    heat = np.asarray(heat, np.float64)
    return (heat - heat.min()) / (np.ptp(heat) or 1)


def ssim(first, second):
    """Return the mean structural similarity of two maps of one size; 1 if they are the same.

    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861, with windows of 7 x 7 that count alike.
    """
    a, b = scaled(first), scaled(second)
    edge = _WINDOW // 2

    def mean(values):
        return uniform_filter(values, _WINDOW)[edge:-edge, edge:-edge]

    mean_a, mean_b = mean(a), mean(b)
    spread = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    together = mean(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + _SMALL[0]) / (mean_a**2 + mean_b**2 + _SMALL[0])
    return float((light * (2 * together + _SMALL[1]) / (spread + _SMALL[1])).mean())
