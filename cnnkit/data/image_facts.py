"""Measure images: the size, format and colour mode of each file, and sums over its pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image

from cnnkit.data.decoding.bit_depths import SampleRange, own_range, read_samples
from cnnkit.data.decoding.image_formats import open_image
from cnnkit.data.decoding.resizing import SIDEWAYS
from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.file_contents import Progress
from cnnkit.data.parallel import compute_all
from cnnkit.data.pixels import PixelSettings, read_pixels, upright_turn
from cnnkit.errors import ImageError

_GREY_SPREAD = 24  # levels between channels; the colour noise of a grey JPEG is smaller


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image file.

    Args:
        num_bytes: of the file.
        sha256: of its content; None if it cannot be opened.
        error: why it cannot be decoded; None if it can.
        size: (height, width) in pixels, upright.
        format: Pillow's word: `JPEG`, `PNG`, ...
        mode: Pillow's word: `RGB`, `L`, `CMYK`, ...
        num_pixels: of the picture that the model sees.
        sums: of its values, one per channel.
        squares: sums of the squares of its values, one per channel.
        is_grey: whether its channels are nearly the same everywhere.
        samples: the lowest and highest number of a picture of more than 8 bits per sample.
        states_range: whether the file states which of these numbers is white.
    """

    num_bytes: int = 0
    sha256: str | None = None
    error: str | None = None
    size: tuple[int, int] = (0, 0)
    format: str = ""
    mode: str = ""
    num_pixels: int = 0
    sums: tuple[int, ...] = ()
    squares: tuple[int, ...] = ()
    is_grey: bool = False
    samples: SampleRange | None = None
    states_range: bool = False


def image_facts(
    files: Sequence[ImageFile], settings: PixelSettings, progress: Progress | None = None
) -> list[ImageFacts]:
    """Read each file once and return its facts, in order.

    Args:
        files: of the images.
        settings: how the pixels are made whose values are summed.
        progress: called with (number of files read, number of all files).
    """
    return compute_all(partial(_facts, settings=settings), files, progress)


def _facts(file: ImageFile, settings: PixelSettings) -> ImageFacts:
    try:
        data = read_file(file)
    except ImageError as error:
        return ImageFacts(error=str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        wide = read_samples(data)
        pixels = grey_pixels = read_pixels(data, settings, wide)
        extremes = own_range(wide)
        if extremes is not None:  # in a picture that is nearly black, colours would not be noticed
            grey_pixels = read_pixels(data, replace(settings, sample_range=extremes), wide)
    except ImageError as error:
        return ImageFacts(len(data), sha256, str(error))
    with open_image(data) as image:
        size, mode, kind = upright_size(image, data), image.mode, image.format or ""
    # Whole numbers, so that the totals do not depend on the order of the images. einsum is three
    # times as fast here as `sum`, which is slow on an axis that is followed by one of length 3.
    values = pixels.reshape(-1, settings.channels).astype(np.int64)
    sums, squares = np.einsum("pc->c", values), np.einsum("pc,pc->c", values, values)
    return ImageFacts(
        len(data), sha256, None, size, kind, mode, len(values),
        tuple(sums.tolist()), tuple(squares.tolist()), _is_grey(grey_pixels),
        None if wide is None else wide.extremes, wide is not None and wide.stated is not None,
    )  # fmt: skip


def _is_grey(pixels: np.ndarray) -> bool:
    first, *others = np.moveaxis(pixels, 2, 0)
    lowest = highest = first
    for channel in others:
        lowest, highest = np.minimum(lowest, channel), np.maximum(highest, channel)
    return int((highest - lowest).max()) <= _GREY_SPREAD


def upright_size(image: Image.Image, data: bytes) -> tuple[int, int]:
    """Return (height, width) of the upright picture.

    Args:
        image: opened from `data`, not loaded.
        data: the bytes of the file.
    """
    width, height = image.size
    return (width, height) if upright_turn(image, data) in SIDEWAYS else (height, width)
