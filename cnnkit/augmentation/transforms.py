"""Projective transforms as matrices (3, 3), one for each image.

A matrix maps a place (x, y, 1) in the result to the place in the image that is seen there. Places
are in pixels, and (0, 0) is the middle of the first pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Size(NamedTuple):
    """The size of the images, in pixels."""

    height: int
    width: int


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the matrices of `first` followed by `second`.

    Args:
        first: (n, 3, 3), of the change that is made first.
        second: (n, 3, 3).
    """
    # Not `first @ second`, whose rounding may depend on the size of the batch.
    terms = [first[:, :, i, None] * second[:, i, None, :] for i in range(3)]
    return terms[0] + terms[1] + terms[2]


def about_centre(size: Size, xx: Any, xy: Any, yx: Any, yy: Any) -> np.ndarray:
    """Return the linear maps that keep the centre of the image in its place."""
    x, y = (size.width - 1) / 2, (size.height - 1) / 2
    return affine(xx, xy, x - xx * x - xy * y, yx, yy, y - yx * x - yy * y)


def from_window(size: Size, top: Any, left: Any, height: Any, width: Any) -> np.ndarray:
    """Return the maps from the whole image to a window; the outer edges of their pixels meet."""
    y, x = height / size.height, width / size.width
    return affine(x, 0, left + (x - 1) / 2, 0, y, top + (y - 1) / 2)


def affine(*values: Any) -> np.ndarray:
    """Return matrices (n, 3, 3), given their upper two rows as six numbers or arrays (n,)."""
    columns = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in values))
    last = [np.zeros_like(columns[0]), np.zeros_like(columns[0]), np.ones_like(columns[0])]
    return np.stack([*columns, *last], axis=-1).reshape(-1, 3, 3)


def homography(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the projective transform (3, 3) that maps four points (4, 2) to four others."""
    # Eight unknowns, because the last entry is 1, and two linear equations for each pair of points.
    rows, targets = [], []
    for (x, y), (u, v) in zip(start, end, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        targets += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(targets)), 1).reshape(3, 3)
