"""Score a map: what happens to the answer if the pixels it marks are removed or shown alone?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_NUM_STEPS = 20
_BLUR_SHARE = 1 / 10  # standard deviation, of the shorter side


def deletion_and_insertion(
    probabilities_of: Callable[[NDArray], NDArray], image: NDArray, heat: NDArray
) -> tuple[float, float]:
    """Return (deletion, insertion), both in [0, 1]: small deletion and large insertion are good.

    The pixels are ordered by the map, the largest numbers first. Deletion replaces them by a
    blurred image in 20 steps, insertion puts them back into the blurred image. Each score is the
    area under the curve of the probability over the share of pixels.

    Args:
        probabilities_of: uint8 images -> (num_images,), the probability of the explained class.
        image: (height, width, channels) uint8.
        heat: a map of any size that covers the image.

    Source: Petsiuk, Das & Saenko 2018, arXiv:1806.07421. There, deleted pixels become grey, which
    draws edges that are not in the image.
    """
    order = np.argsort(-resized_map(heat, image.shape[:2]).ravel(), kind="stable")
    blurred = _blurred(image)
    ends = np.linspace(0, len(order), _NUM_STEPS + 1).round().astype(int)
    deleted, inserted = [], []
    for end in ends:
        chosen = np.zeros(len(order), bool)
        chosen[order[:end]] = True
        mask = chosen.reshape(*image.shape[:2], 1)
        deleted.append(np.where(mask, blurred, image))
        inserted.append(np.where(mask, image, blurred))
    return tuple(_area(probabilities_of(np.stack(each))) for each in (deleted, inserted))


def resized_map(heat: NDArray, size: tuple[int, int]) -> NDArray:
    """Return a map (height, width) with another size, by linear interpolation."""
    height, width = size
    picture = Image.fromarray(np.asarray(heat, np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _area(values: NDArray) -> float:
    return float(((values[1:] + values[:-1]) / 2).mean())


def _blurred(image: NDArray) -> NDArray:
    radius = max(1.0, min(image.shape[:2]) * _BLUR_SHARE)
    channels = [
        np.asarray(
            Image.fromarray(image[..., channel]).filter(ImageFilter.GaussianBlur(radius)), np.uint8
        )
        for channel in range(image.shape[2])
    ]
    return np.stack(channels, axis=2)
