"""Join geometric operations and resample each image once, with OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from cnnkit.augmentation.geometry import Border
from cnnkit.augmentation.keys import Draws
from cnnkit.augmentation.transforms import Size, product

_BORDERS = {
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
    "constant": cv2.BORDER_CONSTANT,
    "nearest": cv2.BORDER_REPLICATE,
}
_INTERPOLATIONS = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR}
_FLIPS = {(False, True): 0, (True, False): 1, (True, True): -1}  # (x, y) -> OpenCV's code

# For flips and crops alone, which never read more than half a pixel beyond the image.
_EDGE = Border("nearest")


class Resampling:
    """Geometric operations that follow one another, done as one change of the pixels."""

    def __init__(self) -> None:
        """Start without operations; each one that `takes` allows may be added."""
        self._operations: list[tuple[int, Any]] = []
        self._border: Border | None = None

    def takes(self, operation: Any, *, after_colours: bool) -> bool:
        """Tell whether an operation may join.

        Flips and crops may always join. Others may if fill and interpolation are the same. After a
        change of colours, an operation that fills with a value may not: the change of colours is
        done after the resampling, and would change the colour of the fill.
        """
        border = operation.border
        if after_colours and border is not None and border.fill_mode == "constant":
            return False
        return border is None or self._border is None or border == self._border

    def add(self, place: int, operation: Any) -> None:
        """Add an operation after those that have been added before."""
        self._operations.append((place, operation))
        self._border = self._border or operation.border

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        size = Size(*images.shape[1:3])
        matrices = None
        for place, operation in self._operations:
            found = operation.matrices(Draws(keys, place), size)
            matrices = found if matrices is None else product(matrices, found)
        border = self._border or _EDGE
        results = np.empty_like(images)
        for image, matrix, result in zip(images, matrices, results, strict=True):
            resample(image, matrix, border, result)
        return results


def resample(image: np.ndarray, matrix: np.ndarray, border: Border, result: np.ndarray) -> None:
    """Write the image, transformed by the matrix, into `result`.

    A matrix that changes nothing or only mirrors gives the exact pixels. OpenCV 5 is within 1 level
    of TensorFlow's ImageProjectiveTransformV3, which Keras uses; OpenCV 4 rounds places to 1/32
    pixel.

    Args:
        image: uint8 (height, width[, 3]).
        matrix: (3, 3); it maps places in the result to places in the image.
        border: fill and interpolation.
        result: uint8, of the image's shape.
    """
    rows = matrix.tolist()
    height, width = image.shape[:2]
    in_x, in_y = rows[0][0] < 0, rows[1][1] < 0
    if rows == _mirror(in_x, in_y, width, height):
        _flip(image, result, in_x, in_y)
        return
    is_affine = rows[2] == [0, 0, 1]
    # The affine change spares a division for each pixel.
    change = cv2.warpAffine if is_affine else cv2.warpPerspective
    change(
        image,
        matrix[:2] if is_affine else matrix,
        (width, height),
        dst=result,
        # Our matrices lead from the result to the image; OpenCV would invert them.
        flags=_INTERPOLATIONS[border.interpolation] | cv2.WARP_INVERSE_MAP,
        borderMode=_BORDERS[border.fill_mode],
        borderValue=(border.fill_value,) * 3,
    )


def _mirror(in_x: bool, in_y: bool, width: int, height: int) -> list[list[float]]:
    x = [-1.0, 0.0, width - 1.0] if in_x else [1.0, 0.0, 0.0]
    y = [0.0, -1.0, height - 1.0] if in_y else [0.0, 1.0, 0.0]
    return [x, y, [0.0, 0.0, 1.0]]


def _flip(image: np.ndarray, result: np.ndarray, in_x: bool, in_y: bool) -> None:
    if in_x or in_y:
        cv2.flip(image, _FLIPS[in_x, in_y], dst=result)
    else:
        result[...] = image
