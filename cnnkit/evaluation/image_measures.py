"""Measure an image while it is read for the model: its size, brightness, sharpness, file type.

The measures are texts, because they become columns of predictions.csv; see `slices.py`.
"""

from __future__ import annotations

import cv2
from numpy.typing import NDArray

from cnnkit.data.decoding.image_formats import open_image
from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.image_facts import upright_size
from cnnkit.data.pixels import PixelSettings, read_pixels

MEASURES = ("num_pixels", "aspect_ratio", "brightness", "sharpness", "file_type")


def read_and_measure(file: ImageFile, settings: PixelSettings) -> tuple[NDArray, dict[str, str]]:
    """Return the pixels for the model, and a text for each of `MEASURES`.

    - `num_pixels`: of the file's picture; `aspect_ratio`: its width divided by its height.
    - `brightness`: the mean grey level, 0 to 255; `sharpness`: the variance of the Laplacian of the
      grey levels. Both are measured on the pixels that the model sees, which have the same size for
      all images: the sharpness of pictures of different sizes cannot be compared.
    - `file_type`: by the content, not the name: `JPEG`, `PNG`, ...

    Raises:
        ImageError: the image cannot be read.

    Source of the sharpness: Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield
    microscopy: a comparative study.
    """
    data = read_file(file)
    pixels = read_pixels(data, settings)
    with open_image(data) as image:
        (height, width), file_type = upright_size(image, data), image.format or ""
    values = (width * height, f"{width / height:.3g}", *light_of(pixels), file_type)
    return pixels, dict(zip(MEASURES, map(str, values), strict=True))


def light_of(pixels: NDArray) -> tuple[str, str]:
    """Return the brightness and the sharpness of uint8 pixels (height, width, channels).

    >>> import numpy as np
    >>> light_of(np.full((8, 8, 3), 100, np.uint8))
    ('100', '0')
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else pixels
    return f"{grey.mean():.4g}", f"{cv2.Laplacian(grey, cv2.CV_64F).var():.4g}"
