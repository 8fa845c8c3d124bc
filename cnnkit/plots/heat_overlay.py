"""Lay a heat map over the image that it explains."""

from __future__ import annotations

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_OPACITY = 0.55


def heat_overlay(image: NDArray, heat: NDArray) -> NDArray:
    """Return the image in grey with the map in colours on it, uint8 (height, width, 3).

    Args:
        image: (height, width, channels) uint8.
        heat: a map of any size, 0 or larger; it covers the image.
    """
    height, width = image.shape[:2]
    most = float(heat.max()) or 1.0
    shares = Image.fromarray((heat / most).astype(np.float32))
    shares = np.asarray(shares.resize((width, height), Image.Resampling.BILINEAR))
    # The same colours as `explanation_picture`: readable without colour vision, and in print.
    colours = matplotlib.colormaps["inferno"](shares)[..., :3] * 255
    grey = image.mean(axis=2, keepdims=True)
    return np.round(_OPACITY * colours + (1 - _OPACITY) * grey).clip(0, 255).astype(np.uint8)
