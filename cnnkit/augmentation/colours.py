"""Change the colours of images. Each class follows the Keras layer of the same name.

A class with `values` maps the 256 levels of a channel to others; several of them in a row become
one table of 256 entries, so the pixels are only looked up once. The other classes have `change`.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from cnnkit.augmentation.arguments import limits
from cnnkit.augmentation.keys import Draws

# Keras's weights of red, green and blue in a grey value: those of ITU-R BT.601.
_GREY = np.array([0.2989, 0.5870, 0.1140])
_LEVELS = np.arange(256.0)


class RandomBrightness:
    """Add a random part of the range 255 to all values."""

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, -1, 1)

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the new value of each level, (n, 256), given its value so far."""
        return np.clip(values + draws.uniform(*self._factor)[:, None] * 255, 0, 255)


class RandomInvert:
    """Turn some images into their negatives."""

    def __init__(self, factor: Any = 1.0) -> None:
        """Read the limits of the chance."""
        self._factor = limits("factor", factor, 0, 1)

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the new value of each level, (n, 256), given its value so far."""
        return np.where(draws.chance(self._factor)[:, None], 255 - values, values)


class RandomPosterization:
    """Keep only the upper bits of each value. The upper limit of their number is never drawn."""

    def __init__(self, factor: Any) -> None:
        """Read the limits of the number of bits."""
        self._bits = limits("factor", factor, 1, 8)

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the new value of each level, (n, 256), given its value so far."""
        step = 2.0 ** (8 - np.floor(draws.uniform(*self._bits)))[:, None]
        return np.floor(values / step) * step


class Solarization:
    """Add a number, and then invert all values that are not below a threshold.

    Keras multiplies only the upper limits by 255, so lower limits have hardly any effect. We do the
    same, so that configs mean the same here and there.
    """

    def __init__(self, addition_factor: Any = 0.0, threshold_factor: Any = 0.0) -> None:
        """Read the limits; a number f means [0, f]."""
        self._addition = _up_to_255(limits("addition_factor", addition_factor, 0, 1))
        self._threshold = _up_to_255(limits("threshold_factor", threshold_factor, 0, 1))

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the new value of each level, (n, 256), given its value so far."""
        values = np.clip(values + draws.uniform(*self._addition)[:, None], 0, 255)
        return np.where(values < draws.uniform(*self._threshold)[:, None], values, 255 - values)


class RandomContrast:
    """Move the values of each channel towards their mean, or away from it.

    As in Keras, a number f means 1 to 1 + f times the contrast, and a pair means 1 - lower to
    1 + upper times.
    """

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        lower, upper = limits("factor", factor, 0, 1)
        self._times = 1 - lower, 1 + upper

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        channels = 1 if images.ndim == 3 else images.shape[-1]
        for image, times in zip(images, draws.uniform(*self._times).tolist(), strict=True):
            # OpenCV returns four means, however many channels there are.
            offsets = (1 - times) * np.array(cv2.mean(image)[:channels])
            # OpenCV rounds and clips too. This takes a sixth of the time of a lookup table.
            cv2.transform(image, np.c_[times * np.eye(channels), offsets], dst=image)
        return images


class RandomSaturation:
    """Multiply the saturation of the colours by s / (1 - s), with s drawn from the limits.

    So s = 0.5 changes nothing, less gives paler colours, and more gives stronger ones.
    """

    needs_colours = True

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, -1, 1)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width, 3)."""
        share = draws.uniform(*self._factor)
        # A share of 1 would divide by 0 without the 1e-7.
        times = np.clip(share / (1 - share + 1e-7), 0, 255)  # above 255 nothing changes any more
        for image, factor in zip(images, times.tolist(), strict=True):
            red, green, blue = cv2.split(image)
            # In HSV, saturation is (max - min) / max. Mixing with max multiplies the distance of
            # every channel from max by the same factor.
            strongest = cv2.max(cv2.max(red, green), blue)
            grey = cv2.merge([strongest, strongest, strongest])
            cv2.addWeighted(image, factor, grey, 1 - factor, 0, dst=image)
        return images


class RandomHue:
    """Turn the hue by up to the factor times half of the colour circle, either way."""

    needs_colours = True

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, 0, 1)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width, 3)."""
        sign = np.where(draws.uniform() > 0.5, -1.0, 1.0)
        degrees = sign * draws.uniform(*self._factor) * 180 % 360
        for image, angle in zip(images, degrees.tolist(), strict=True):
            # With uint8, OpenCV would round hues to steps of 2 degrees.
            colours = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2HSV)
            hues = colours[..., 0] + np.float32(angle)
            colours[..., 0] = hues - 360 * (hues >= 360)
            image[...] = np.rint(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB))
        return images


class RandomColorDegeneration:
    """Mix an image with its grey version."""

    def __init__(self, factor: Any) -> None:
        """Read the limits of the share of the grey version."""
        self._factor = limits("factor", factor, -1, 1)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        return _with_grey(images, draws.uniform(*self._factor))


class RandomGrayscale:
    """Turn some images grey; `factor` is the chance."""

    def __init__(self, factor: float = 0.5) -> None:
        """Read the chance."""
        self._chance = limits("factor", factor, 0, 1)[1]

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        return _with_grey(images, np.where(draws.uniform() < self._chance, 1.0, 0.0))


class AutoContrast:
    """Stretch the values of each channel to the whole range. Nothing is random."""

    needs_whole = True

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        flat = images.reshape(*images.shape[:3], -1)
        low, high = (edge(axis=(1, 2))[:, None] for edge in (flat.min, flat.max))
        # A channel with a single level keeps it: (level - 0) * 255 / 255.
        span = np.where(high > low, high - low, 255).astype(float)
        start = np.where(high > low, low, 0)
        return look_up(images, (_LEVELS[:, None] - start) * 255 / span)


class Equalization:
    """Make all levels of each channel about equally frequent. Nothing is random."""

    needs_whole = True

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        flat = images.reshape(len(images), images.shape[1] * images.shape[2], -1)
        tables = [[_equalizing(channel) for channel in image.T] for image in flat]
        return look_up(images, np.stack(tables).swapaxes(1, 2))


def _equalizing(channel: np.ndarray) -> np.ndarray:
    """Return the new value of each level of one channel: (256,)."""
    below = np.cumsum(np.bincount(channel, minlength=256))  # pixels at or below each level
    first = below[channel.min()]
    return (below - first) * 255 / (len(channel) - first) if len(channel) > first else _LEVELS


def look_up(images: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Replace each level by its value, rounded and clipped, in place.

    Args:
        images: uint8 (n, height, width[, channels]).
        values: (n, 256), the same for all channels, or (n, 256, channels).
    """
    tables = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    if tables.ndim == 3:  # OpenCV takes (1, 256, channels), or (256,) for a single channel
        tables = tables[:, None] if tables.shape[-1] > 1 else tables[..., 0]
    for image, table in zip(images, tables, strict=True):
        cv2.LUT(image, table, dst=image)
    return images


def first_values(number: int) -> np.ndarray:
    """Return tables that change nothing: (number, 256)."""
    return np.tile(_LEVELS, (number, 1))


def _with_grey(images: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mix images with their grey versions, in place. Images of one channel are grey already."""
    if images.ndim == 3:
        return images
    grey = np.broadcast_to(_GREY, (3, 3))  # all three new channels are the grey value
    for image, share in zip(images, shares.tolist(), strict=True):
        if share:
            cv2.transform(image, (1 - share) * np.eye(3) + share * grey, dst=image)
    return images


def _up_to_255(limits: tuple[float, float]) -> tuple[float, float]:
    return limits[0], limits[1] * 255
