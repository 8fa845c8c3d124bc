"""Blur, sharpen or partly cover images. Each class follows the Keras layer of the same name.

The result depends on neighbouring pixels or on places. So `needs_whole` keeps the geometric
operations before and after it apart.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from cnnkit.augmentation.arguments import limits
from cnnkit.augmentation.keys import Draws


class RandomGaussianBlur:
    """Blur some images. As in Keras, the pixels outside of an image count as black."""

    needs_whole = True

    def __init__(self, factor: Any = 1.0, kernel_size: Any = 3, sigma: Any = 1.0) -> None:
        """Read the limits of the chance and of the two standard deviations, in pixels."""
        self._factor = limits("factor", factor, 0, 1)
        self._sigma = limits("sigma", sigma, 0, 1)
        self._size = kernel_size[0] if isinstance(kernel_size, list | tuple) else kernel_size
        if self._size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, received {kernel_size}.")

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        is_changed = draws.chance(self._factor)
        # A sigma of 0 would divide by 0; with 1e-6 the kernel leaves the image unchanged.
        in_x, in_y = draws.uniform(*self._sigma) + 1e-6, draws.uniform(*self._sigma) + 1e-6
        for index in np.flatnonzero(is_changed):
            kernels = self._kernel(in_x[index]), self._kernel(in_y[index])
            images[index] = cv2.sepFilter2D(
                images[index], -1, *kernels, borderType=cv2.BORDER_CONSTANT
            )
        return images

    def _kernel(self, sigma: float) -> np.ndarray:
        places = np.arange(self._size) - (self._size - 1) / 2
        kernel = np.exp(-0.5 * (places / sigma) ** 2)
        return kernel / kernel.sum()


class RandomSharpness:
    """Blur images for factors below 0.5, and sharpen them for factors above; 0.5 changes nothing.

    The smoothed image is mixed with the original: 2 f of the original and 1 - 2 f of the other.
    """

    needs_whole = True
    # The smoothing kernel of Keras's layer, which is that of Pillow's ImageEnhance.Sharpness.
    _KERNEL = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13

    def __init__(self, factor: Any) -> None:
        """Read the limits."""
        self._factor = limits("factor", factor, 0, 1)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        own = np.zeros((3, 3))
        own[1, 1] = 1
        for image, factor in zip(images, draws.uniform(*self._factor).tolist(), strict=True):
            kernel = 2 * factor * own + (1 - 2 * factor) * self._KERNEL
            image[...] = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        return images


class RandomErasing:
    """Cover a box of some images with noise, or with `fill_value`.

    Source: Zhong et al. 2017, Random Erasing Data Augmentation, arXiv:1708.04896.
    """

    needs_whole = True

    def __init__(
        self, factor: Any = 1.0, scale: Any = (0.02, 0.33), fill_value: float | None = None
    ) -> None:
        """Read the limits of the chance, and of the square of a side as a part of the image's."""
        self._factor = limits("factor", factor, 0, 1)
        self._scale = limits("scale", scale, 0, 1)
        self._fill_value = None if fill_value is None else min(max(fill_value, 0), 255)

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        height, width = images.shape[1:3]
        left, right = self._sides(draws, width)
        top, bottom = self._sides(draws, height)
        is_changed, noise_keys = draws.chance(self._factor), draws.bits()
        for index in np.flatnonzero(is_changed):
            box = images[index, top[index] : bottom[index], left[index] : right[index]]
            box[...] = self._fill(box.shape, int(noise_keys[index]))
        return images

    def _sides(self, draws: Draws, length: int) -> tuple[np.ndarray, np.ndarray]:
        part = np.sqrt(draws.uniform(*self._scale)) * length
        start = draws.uniform() * (length - part)
        return np.ceil(start).astype(int), np.ceil(start + part).astype(int)

    def _fill(self, shape: tuple[int, ...], key: int) -> Any:
        if self._fill_value is not None:
            return round(self._fill_value)
        # As in Keras the noise is normal, so half of its values are negative and become 0.
        noise = np.random.Generator(np.random.Philox(key=key)).standard_normal(shape, np.float32)
        return np.rint(np.clip(noise * 255, 0, 255))
