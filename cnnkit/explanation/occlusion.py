"""Occlusion: how much probability is lost if a part of the image is covered. NumPy only.

It needs no gradients, so it works for every model file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_WINDOW_SHARE = 1 / 5  # of the image's sides
_MOVES_PER_WINDOW = 3  # so that windows overlap
_BATCH = 32


def occlusion(scores_of: Callable[[NDArray], NDArray], image: NDArray) -> NDArray:
    """Return the map (height, width): the loss of score, averaged over the windows on each pixel.

    A window of a fifth of the height and width is moved over the image in steps of a third of
    itself. What it covers gets the mean colour of the image.

    Args:
        scores_of: uint8 images (num_images, height, width, channels) -> scores (num_images,).
        image: (height, width, channels) uint8.

    Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2.
    """
    places = [(y, x) for y in _windows(image.shape[0]) for x in _windows(image.shape[1])]
    colour = np.round(image.mean(axis=(0, 1))).astype(np.uint8)
    own = float(scores_of(image[None])[0])
    losses, counts = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        covered = np.repeat(image[None], len(batch), axis=0)
        for one, (rows, columns) in zip(covered, batch, strict=True):
            one[rows, columns] = colour
        for place, score in zip(batch, scores_of(covered), strict=True):
            losses[place] += own - score
            counts[place] += 1
    return (losses / counts).astype(np.float32)


def _windows(side: int) -> list[slice]:
    """Return where the windows begin and end, so that each pixel is covered by at least one.

    >>> _windows(10)
    [slice(0, 2, None), slice(1, 3, None), slice(2, 4, None), slice(3, 5, None), \
slice(4, 6, None), slice(5, 7, None), slice(6, 8, None), slice(7, 9, None), slice(8, 10, None)]
    """
    window = max(1, round(side * _WINDOW_SHARE))
    step = max(1, window // _MOVES_PER_WINDOW)
    starts = sorted({*range(0, side - window + 1, step), side - window})
    return [slice(start, start + window) for start in starts]
