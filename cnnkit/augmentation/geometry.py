"""Draw a projective transform for each image: flips, rotations, zooms, crops and the like.

Each class follows the Keras layer of the same name, except `RandomResizedCrop`. What a matrix
means is in `transforms`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.augmentation.arguments import limits, one_of
from cnnkit.augmentation.keys import Draws
from cnnkit.augmentation.transforms import Size, about_centre, affine, from_window, homography

_FILL_MODES = ("reflect", "wrap", "constant", "nearest")
_INTERPOLATIONS = ("nearest", "bilinear")
_FLIP_MODES = ("horizontal", "vertical", "horizontal_and_vertical")


@dataclass(frozen=True)
class Border:
    """How an image is read between its pixels and beyond its edge, in Keras's words."""

    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    fill_value: float = 0.0

    def __post_init__(self) -> None:
        """Refuse words that Keras does not know."""
        one_of("fill_mode", self.fill_mode, _FILL_MODES)
        one_of("interpolation", self.interpolation, _INTERPOLATIONS)
        if self.fill_mode != "constant":
            # Only "constant" uses it; equal borders must be equal objects, see `Resampling.takes`.
            object.__setattr__(self, "fill_value", 0.0)


class RandomFlip:
    """Mirror half of the images; `horizontal_and_vertical` mirrors both ways at once."""

    border = None

    def __init__(self, mode: str = "horizontal_and_vertical") -> None:
        """Check the mode; Keras accepts any other word and then flips nothing."""
        self._mode = one_of("mode", mode, _FLIP_MODES)

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        sign = np.where(draws.uniform() <= 0.5, -1.0, 1.0)  # one number for both directions
        x = sign if "horizontal" in self._mode else np.ones_like(sign)
        y = sign if "vertical" in self._mode else np.ones_like(sign)
        return about_centre(size, x, 0, 0, y)


class RandomRotation:
    """Rotate about the centre; a factor of 1 is a full turn."""

    def __init__(self, factor: Any, **border: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, -1, 1)
        self.border = Border(**border)

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        angles = draws.uniform(*self._factor) * (2 * math.pi)
        cosine, sine = _each(math.cos, angles), _each(math.sin, angles)
        return about_centre(size, cosine, -sine, sine, cosine)


class RandomZoom:
    """Zoom about the centre; factors above 0 make the image smaller."""

    def __init__(self, height_factor: Any, width_factor: Any = None, **border: Any) -> None:
        """Read the limits."""
        self._height = limits("height_factor", height_factor, -1, 1)
        self._width = None
        if width_factor is not None:
            self._width = limits("width_factor", width_factor, -1, 1)
        if -1 in self._height or -1 in (self._width or ()):
            raise ValueError("a factor of -1 leaves nothing of the image, use more than -1.")
        self.border = Border(**border)

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        # Above 1, a place in the result is farther from the centre in the image: it gets smaller.
        y = 1 + draws.uniform(*self._height)
        x = y if self._width is None else 1 + draws.uniform(*self._width)
        return about_centre(size, x, 0, 0, y)


class RandomTranslation:
    """Shift by a part of the height and a part of the width."""

    def __init__(self, height_factor: Any, width_factor: Any, **border: Any) -> None:
        """Read the limits."""
        self._height = limits("height_factor", height_factor, -1, 1)
        self._width = limits("width_factor", width_factor, -1, 1)
        self.border = Border(**border)

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        y = draws.uniform(*self._height) * size.height
        x = draws.uniform(*self._width) * size.width
        return affine(1, 0, -x, 0, 1, -y)


class RandomShear:
    """Shear; the first pixel stays in its place."""

    def __init__(self, x_factor: Any = 0.0, y_factor: Any = 0.0, **border: Any) -> None:
        """Read the limits."""
        self._x = _shear_limits("x_factor", x_factor)
        self._y = _shear_limits("y_factor", y_factor)
        self.border = Border(**border)

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        # As in Keras, one sign for both directions, drawn first, and then y before x.
        sign = np.where(draws.uniform() > 0.5, -1.0, 1.0)
        y, x = draws.uniform(*self._y) * sign, draws.uniform(*self._x) * sign
        return affine(1, x, 0, y, 1, 0)


class RandomPerspective:
    """Move the corners of some images by up to half of `scale` times their coordinates."""

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
    ) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, 0, 1)
        self._scale = limits("scale", scale, 0, 1)[1]
        self.border = Border("constant", interpolation, fill_value)

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        if min(size) < 2:
            raise ValueError("it needs images of at least 2 x 2 pixels.")
        is_changed = draws.chance(self._factor)
        right, bottom = size.width - 1, size.height - 1
        # As in Keras, a corner moves by a part of its own coordinates, so (0, 0) never moves.
        corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], np.float64)
        half = self._scale / 2
        shifts = np.stack([draws.uniform(-half, half) for _ in range(8)], axis=-1)
        moved = corners * (1 + shifts.reshape(-1, 4, 2))
        matrices = np.tile(np.eye(3), (len(moved), 1, 1))
        for index in np.flatnonzero(is_changed):
            matrices[index] = homography(moved[index], corners)
        return matrices


class RandomCrop:
    """Cut out a window of `height` x `width` pixels and scale it to the size of the image."""

    border = None

    def __init__(self, height: int, width: int, name: str | None = None) -> None:
        """Keep the size of the window. `name` is an argument of Keras and has no effect here."""
        self._height, self._width = height, width

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        height, width = min(self._height, size.height), min(self._width, size.width)
        # Whole pixels, each position equally likely; the last one is `size.height - height`.
        top = np.floor(draws.uniform(0, size.height - height + 1))
        left = np.floor(draws.uniform(0, size.width - width + 1))
        return from_window(size, top, left, height, width)


class RandomResizedCrop:
    """Cut out a window of random area and proportions and scale it to the size of the image.

    Args:
        scale: limits of the window's area, as a part of the image's.
        ratio: limits of the window's width divided by its height.

    Source: Szegedy et al. 2015, Going Deeper with Convolutions, arXiv:1409.4842. If none of ten
    random windows fits into the image, the largest window in the middle is used.
    """

    border = None
    _TRIES = 10

    def __init__(self, scale: Any = (0.08, 1.0), ratio: Any = (0.75, 1.333)) -> None:
        """Read the limits."""
        self._scale = _pair("scale", scale, high=1.0)
        self._ratio = _pair("ratio", ratio, high=math.inf)

    def matrices(self, draws: Draws, size: Size) -> np.ndarray:
        """Return a matrix for each image: float64 (n, 3, 3)."""
        height, width, fits = self._window_size(draws, size)
        top = np.floor(draws.uniform() * (size.height - height + 1))
        left = np.floor(draws.uniform() * (size.width - width + 1))
        top = np.where(fits, top, (size.height - height) // 2)
        left = np.where(fits, left, (size.width - width) // 2)
        return from_window(size, top, left, height, width)

    def _window_size(self, draws: Draws, size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the height and width of each window, and whether one of its tries has fitted."""
        middle_height, middle_width = self._largest(size)
        fits = height = width = None
        # All ten are drawn, even if every image has its window earlier: how many numbers an image
        # uses must not depend on the other images of its batch.
        for _ in range(self._TRIES):
            area = draws.uniform(*self._scale) * (size.height * size.width)
            # Uniform in the logarithm: twice as wide is as likely as twice as high.
            ratio = _each(math.exp, draws.uniform(*map(math.log, self._ratio)))
            new_width, new_height = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
            if fits is None:
                fits = np.zeros(len(area), bool)
                height, width = np.full(len(area), middle_height), np.full(len(area), middle_width)
            is_inside = (new_width >= 1) & (new_width <= size.width)
            is_inside &= (new_height >= 1) & (new_height <= size.height)
            height = np.where(is_inside & ~fits, new_height, height)
            width = np.where(is_inside & ~fits, new_width, width)
            fits |= is_inside
        return height, width, fits

    def _largest(self, size: Size) -> tuple[float, float]:
        ratio = min(max(size.width / size.height, self._ratio[0]), self._ratio[1])
        height = min(size.height, max(round(size.width / ratio), 1))
        return float(height), float(min(size.width, max(round(size.height * ratio), 1)))


def _each(function: Callable[[float], float], values: np.ndarray) -> np.ndarray:
    """Apply a function to one number after the other.

    The functions of NumPy may round differently depending on the position in the array, and an
    image must get the same pixels in any batch.
    """
    return np.array([function(value) for value in values.tolist()])


def _shear_limits(name: str, value: Any) -> tuple[float, float]:
    lower, upper = limits(name, value, 0, 1)
    return (lower, upper) if isinstance(value, list | tuple) else (-upper, upper)


def _pair(name: str, value: Any, high: float) -> tuple[float, float]:
    if not 0 < value[0] <= value[1] <= high:
        most = "" if high == math.inf else f" and at most {high:g}"
        raise ValueError(
            f"{name} must be two numbers above 0{most}, the smaller first, received {list(value)}."
        )
    return value[0], value[1]
