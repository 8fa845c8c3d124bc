"""Pictures and random numbers enter; pictures leave whose pixels changed each by itself.

All follow Keras's layers of the same names. A class that has `values` maps the 256 levels of a
channel; several that follow one another become one table. The others have `change`.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from cnnkit.augmentation.arguments import limits
from cnnkit.augmentation.keys import Draws

_GREY = np.array([0.2989, 0.5870, 0.1140])  # Keras's weights of red, green and blue
_LEVELS = np.arange(256.0)


class RandomBrightness:
    """Adds one number to all values, up to a part of the whole range."""

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, -1, 1)

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return what each level becomes, (n, 256), from what it has become so far."""
        return np.clip(values + draws.uniform(*self._factor)[:, None] * 255, 0, 255)


class RandomInvert:
    """Turns some pictures into their negatives."""

    def __init__(self, factor: Any = 1.0) -> None:
        """Read the limits of the chance."""
        self._factor = limits("factor", factor, 0, 1)

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return what each level becomes, (n, 256), from what it has become so far."""
        return np.where(draws.chance(self._factor)[:, None], 255 - values, values)


class RandomPosterization:
    """Keeps the upper bits of each value: as many as is drawn, the upper limit left out."""

    def __init__(self, factor: Any) -> None:
        """Read the limits of the number of bits."""
        self._bits = limits("factor", factor, 1, 8)

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return what each level becomes, (n, 256), from what it has become so far."""
        step = 2.0 ** (8 - np.floor(draws.uniform(*self._bits)))[:, None]
        return np.floor(values / step) * step


class Solarization:
    """Adds a number, and inverts what is then at a threshold or above.

    Keras multiplies only the upper limits by 255, so lower ones hardly count; so do we.
    """

    def __init__(self, addition_factor: Any = 0.0, threshold_factor: Any = 0.0) -> None:
        """Read the limits; a number f means [0, f]."""
        self._addition = _up_to_255(limits("addition_factor", addition_factor, 0, 1))
        self._threshold = _up_to_255(limits("threshold_factor", threshold_factor, 0, 1))

    def values(self, values: np.ndarray, draws: Draws) -> np.ndarray:
        """Return what each level becomes, (n, 256), from what it has become so far."""
        values = np.clip(values + draws.uniform(*self._addition)[:, None], 0, 255)
        return np.where(values < draws.uniform(*self._threshold)[:, None], values, 255 - values)


class RandomContrast:
    """Draws the values of each channel to their mean or away from it.

    As in Keras a number f means 1 to 1 + f times the contrast, and a pair 1 - lower to 1 + upper.
    """

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        lower, upper = limits("factor", factor, 0, 1)
        self._times = 1 - lower, 1 + upper

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed pictures, uint8 (n, height, width[, 3])."""
        channels = 1 if images.ndim == 3 else images.shape[-1]
        for image, times in zip(images, draws.uniform(*self._times).tolist(), strict=True):
            offsets = (1 - times) * np.array(cv2.mean(image)[:channels])
            # Six times as fast as looking levels up; rounds and clips.
            cv2.transform(image, np.c_[times * np.eye(channels), offsets], dst=image)
        return images


class RandomSaturation:
    """Changes how strong colours are: a factor f draws s / (1 - s) times the saturation, s <= f."""

    needs_colours = True

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, -1, 1)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed pictures, uint8 (n, height, width, 3)."""
        share = draws.uniform(*self._factor)
        times = np.clip(share / (1 - share + 1e-7), 0, 255)  # more than 255 changes nothing
        for image, factor in zip(images, times.tolist(), strict=True):
            red, green, blue = cv2.split(image)
            strongest = cv2.max(cv2.max(red, green), blue)
            grey = cv2.merge([strongest, strongest, strongest])
            cv2.addWeighted(image, factor, grey, 1 - factor, 0, dst=image)
        return images


class RandomHue:
    """Turns the hue by up to half of the circle times the factor."""

    needs_colours = True

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, 0, 1)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed pictures, uint8 (n, height, width, 3)."""
        sign = np.where(draws.uniform() > 0.5, -1.0, 1.0)
        degrees = sign * draws.uniform(*self._factor) * 180 % 360
        for image, angle in zip(images, degrees.tolist(), strict=True):
            colours = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2HSV)
            hues = colours[..., 0] + np.float32(angle)
            colours[..., 0] = hues - 360 * (hues >= 360)
            image[...] = np.rint(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB))
        return images


class RandomColorDegeneration:
    """Mixes in the grey picture."""

    def __init__(self, factor: Any) -> None:
        """Read the limits of the grey picture's share."""
        self._factor = limits("factor", factor, -1, 1)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed pictures, uint8 (n, height, width[, 3])."""
        return _with_grey(images, draws.uniform(*self._factor))


class RandomGrayscale:
    """Turns some pictures grey; `factor` is the chance."""

    def __init__(self, factor: float = 0.5) -> None:
        """Read the chance."""
        self._chance = limits("factor", factor, 0, 1)[1]

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed pictures, uint8 (n, height, width[, 3])."""
        return _with_grey(images, np.where(draws.uniform() < self._chance, 1.0, 0.0))


class AutoContrast:
    """Stretches the values of each channel over the whole range. Nothing is drawn."""

    needs_whole = True

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed pictures, uint8 (n, height, width[, 3])."""
        flat = images.reshape(*images.shape[:3], -1)
        low, high = (edge(axis=(1, 2))[:, None] for edge in (flat.min, flat.max))
        span = np.where(high > low, high - low, 255).astype(float)  # one level alone stays
        start = np.where(high > low, low, 0)
        return look_up(images, (_LEVELS[:, None] - start) * 255 / span)


class Equalization:
    """Makes all levels of each channel about equally frequent. Nothing is drawn."""

    needs_whole = True

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed pictures, uint8 (n, height, width[, 3])."""
        flat = images.reshape(len(images), images.shape[1] * images.shape[2], -1)
        tables = [[_equalizing(channel) for channel in image.T] for image in flat]
        return look_up(images, np.stack(tables).swapaxes(1, 2))


def _equalizing(channel: np.ndarray) -> np.ndarray:
    """Return what each level of one channel becomes, (256,)."""
    below = np.cumsum(np.bincount(channel, minlength=256))
    first = below[channel.min()]
    return (below - first) * 255 / (len(channel) - first) if len(channel) > first else _LEVELS


def look_up(images: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Replace each level by its value, rounded and clipped, in place.

    Args:
        images: uint8 (n, height, width[, channels]).
        values: (n, 256) for all channels alike, or (n, 256, channels).
    """
    tables = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    if tables.ndim == 3:
        tables = tables[:, None] if tables.shape[-1] > 1 else tables[..., 0]
    for image, table in zip(images, tables, strict=True):
        cv2.LUT(image, table, dst=image)
    return images


def first_values(number: int) -> np.ndarray:
    """Return the tables that change nothing, (number, 256)."""
    return np.tile(_LEVELS, (number, 1))


def _with_grey(images: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mix the grey picture in, in place; pictures of one channel stay."""
    if images.ndim == 3:
        return images
    grey = np.broadcast_to(_GREY, (3, 3))
    for image, share in zip(images, shares.tolist(), strict=True):
        if share:
            cv2.transform(image, (1 - share) * np.eye(3) + share * grey, dst=image)
    return images


def _up_to_255(limits: tuple[float, float]) -> tuple[float, float]:
    return limits[0], limits[1] * 255
