"""Test-time augmentation: show a model several views of each image, and average its answers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

VIEWS = ("flips", "crops")
_CROP = 7 / 8  # of the height and the width


def views_of(pixels: NDArray, kind: str) -> NDArray:
    """Return the views of an image, uint8 (num_views, height, width, channels); first itself.

    Args:
        pixels: uint8 (height, width, channels).
        kind: `flips`, the image and its mirror image; `crops`, the image and five crops of 7/8 of
            its height and width, from the corners and the centre, enlarged to its size.
    """
    if kind == "flips":
        return np.stack([pixels, pixels[:, ::-1]])
    height, width = pixels.shape[:2]
    rows, columns = round(height * _CROP), round(width * _CROP)
    down, right = height - rows, width - columns
    corners = ((0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2))
    crops = [
        cv2.resize(pixels[top : top + rows, left : left + columns], (width, height))
        for top, left in corners
    ]
    # OpenCV drops the axis of a single channel.
    return np.stack([pixels, *(crop.reshape(pixels.shape) for crop in crops)])
