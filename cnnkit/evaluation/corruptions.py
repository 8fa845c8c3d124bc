"""Worsen pictures in the ways that cameras and software do: seven kinds, five strengths of each.

The kinds are those of Hendrycks & Dietterich 2019 (arXiv:1903.12261) that need no other pictures,
and rotation. They change the pixels that the model sees, after resizing. Brightness, darkness,
contrast and rotation are measured as in the augmentation layers of the same name.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Corruption:
    """One way to worsen a picture.

    Args:
        meaning: what the numbers say, for people.
        numbers: one per strength, from the weakest to the strongest.
        change: called with (pixels, number, random generator); returns float or uint8 pixels.
    """

    meaning: str
    numbers: tuple[float, ...]
    change: Callable[[NDArray, float, np.random.Generator], NDArray]


def _noise(pixels: NDArray, share: float, random: np.random.Generator) -> NDArray:
    return pixels + random.normal(0, share * 255, pixels.shape)


def _blur(pixels: NDArray, share: float, random: np.random.Generator) -> NDArray:
    sigma = share * max(pixels.shape[:2])
    return cv2.GaussianBlur(pixels, None, sigma, borderType=cv2.BORDER_REFLECT_101)


def _contrast(pixels: NDArray, times: float, random: np.random.Generator) -> NDArray:
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return mean + times * (pixels - mean)


def _brightness(pixels: NDArray, share: float, random: np.random.Generator) -> NDArray:
    return pixels + share * 255


def _jpeg(pixels: NDArray, quality: float, random: np.random.Generator) -> NDArray:
    stream = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(stream, "JPEG", quality=int(quality))
    return np.asarray(Image.open(stream))


def _rotation(pixels: NDArray, degrees: float, random: np.random.Generator) -> NDArray:
    height, width = pixels.shape[:2]
    # Half of the pictures are turned to the left, the others to the right.
    angle = degrees if random.random() < 0.5 else -degrees
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    return cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


CORRUPTIONS = {
    "noise": Corruption(
        "standard deviation, as a share of the range 0 to 255",
        (0.04, 0.08, 0.12, 0.18, 0.26),
        _noise,
    ),
    "blur": Corruption(
        "standard deviation of the Gaussian, as a share of the longer side",
        (0.01, 0.015, 0.02, 0.03, 0.04),
        _blur,
    ),
    "contrast": Corruption(
        "times the distance from the mean colour", (0.75, 0.5, 0.35, 0.2, 0.1), _contrast
    ),
    "brightness": Corruption(
        "added, as a share of the range 0 to 255", (0.1, 0.2, 0.3, 0.4, 0.5), _brightness
    ),
    "darkness": Corruption(
        "added, as a share of the range 0 to 255", (-0.1, -0.2, -0.3, -0.4, -0.5), _brightness
    ),
    "jpeg": Corruption("quality, as Pillow counts it", (50, 30, 20, 10, 5), _jpeg),
    "rotation": Corruption("degrees to the left or right", (5, 10, 15, 20, 30), _rotation),
}
NUM_STRENGTHS = 5


def corrupt(pixels: NDArray, kind: str, strength: int) -> NDArray:
    """Return a worsened copy of a picture.

    The same picture always gives the same copy: random numbers depend on its pixels alone, not on
    its name or its place among others. The strengths of a kind share them, so that noise is the
    same pattern, only stronger, and a picture is always turned to the same side.

    Args:
        pixels: uint8 (height, width, channels), with 1 or 3 channels.
        kind: a key of `CORRUPTIONS`.
        strength: 1 (weakest) to 5.
    """
    corruption = CORRUPTIONS[kind]
    seed = zlib.crc32(np.ascontiguousarray(pixels)), *kind.encode()
    changed = corruption.change(
        pixels, corruption.numbers[strength - 1], np.random.default_rng(seed)
    )
    # OpenCV and Pillow drop the axis of a single channel.
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8).reshape(pixels.shape)


def all_corrupted(pixels: NDArray) -> NDArray:
    """Return a picture in every kind and strength: uint8 (kinds x strengths, height, width, c)."""
    strengths = range(1, NUM_STRENGTHS + 1)
    return np.stack([corrupt(pixels, kind, s) for kind in CORRUPTIONS for s in strengths])
