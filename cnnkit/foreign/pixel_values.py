"""Turn uint8 pixels into the numbers that a foreign model takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.backbone_networks import SCALES
from cnnkit.errors import UsageError

# (factor, offset) of each scaling. `tf`, `torch` and `caffe` are Keras's names for its modes.
SCALINGS: dict[str, tuple[Any, Any]] = {"0-255": (1.0, 0.0), "0-1": (1 / 255, 0.0), **SCALES}
SCALING_TEXTS = {
    "0-255": "pixels as they are",
    "0-1": "pixels / 255",
    "tf": "pixels / 127.5 - 1 (Teachable Machine, MobileNet, Inception, Xception)",
    "torch": "pixels / 255, less ImageNet's means, by its deviations (DenseNet, PyTorch)",
    "caffe": "blue, green, red, less ImageNet's means (ResNet50, VGG)",
    "lite": "(pixels - 127) / 128 (EfficientNet-Lite)",
}
_SLACK = 0.02  # of the width of a range of values: by so much a quantised one may differ


@dataclass(frozen=True)
class Quantization:
    """How whole numbers stand for real ones: real = (number - zero_point) * scale."""

    scale: float
    zero_point: int

    def real(self, numbers: NDArray) -> NDArray:
        """Return the real numbers, float32."""
        return (numbers.astype(np.float32) - self.zero_point) * np.float32(self.scale)

    def numbers(self, real: NDArray, dtype: np.dtype) -> NDArray:
        """Return the nearest whole numbers that the type has."""
        limits = np.iinfo(dtype)
        rounded = np.round(real / self.scale) + self.zero_point
        return np.clip(rounded, limits.min, limits.max).astype(dtype)


def scaling_of(quantization: Quantization, dtype: np.dtype) -> str | None:
    """Return the scaling whose values a quantised input can hold; None if it is none of them.

    The file states which real numbers the smallest and the largest input stand for: -1 and 1 mean
    `tf`, 0 and 1 mean `0-1`, 0 and 255 mean `0-255`.
    """
    limits = np.iinfo(dtype)
    ends = quantization.real(np.array([limits.min, limits.max]))
    for name, wanted in (("tf", (-1, 1)), ("0-1", (0, 1)), ("0-255", (0, 255))):
        if np.abs(ends - wanted).max() <= _SLACK * (wanted[1] - wanted[0]):
            return name
    return None


def input_maker(
    scaling: str,
    dtype: np.dtype,
    quantization: Quantization | None,
    *,
    channels: int,
    channels_first: bool,
) -> Callable[[NDArray], NDArray]:
    """Return a function from uint8 pixels (num_images, height, width, channels) to the input.

    Args:
        scaling: a key of SCALINGS.
        dtype: of the input: float32, float16, uint8 or int8.
        quantization: of the input; None if it is not quantised.
        channels: 3 (red, green, blue) or 1.
        channels_first: whether the input is (num_images, channels, height, width).

    Raises:
        UsageError: grey images cannot be scaled so, or the input has no numbers for the values.
    """
    factor, offset = (np.asarray(numbers, np.float32) for numbers in SCALINGS[scaling])
    if channels == 1 and (factor.size > 1 or offset.size > 1):
        raise UsageError(
            f"--scaling {scaling} is for colour images, and this model takes grey ones. Choose "
            "0-255, 0-1 or tf."
        )
    whole = np.issubdtype(dtype, np.integer)
    if whole and quantization is None and (scaling != "0-255" or dtype != np.uint8):
        raise UsageError(
            f"The model takes {dtype} numbers that stand for themselves, so --scaling {scaling} "
            "does not fit it. Leave it out."
            if dtype == np.uint8
            else f"The model takes {dtype} numbers, and does not say what they stand for. Give a "
            "model that takes float32 or uint8 images."
        )

    def made(pixels: NDArray) -> NDArray:
        values = pixels
        if not (whole and quantization is None):
            values = pixels.astype(np.float32) * factor + offset
            if quantization is not None:
                values = quantization.numbers(values, dtype)
        if scaling == "caffe":
            values = values[..., ::-1]
        if channels_first:
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values, dtype)

    return made
