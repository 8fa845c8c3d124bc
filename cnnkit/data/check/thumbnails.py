"""Reduce a picture to a thumbnail, its colours and four perceptual hashes, to find copies of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.fft import dct

SIDE = 64  # of the picture that is reduced
THUMBNAIL_SIDE = 32
CROP = 0.04  # of each side, in the middle of the 2 to 6 % that are found
_COLOUR_CELLS = 4
_FAINT = 8  # grey levels between black and white; with less contrast, a hash is only noise
_HASHED_SIDE = 32
_FREQUENCIES = 8  # per axis, so that a hash has 64 bits


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What a decoded picture looks like, reduced.

    Args:
        hashes: four perceptual hashes, uint64: of the picture, of its middle, of the picture
            mirrored, and of its middle mirrored.
        grey: uint8 (32, 32).
        colours: uint8 (4, 4, 3), the mean colours of 16 parts.
    """

    hashes: np.ndarray
    grey: np.ndarray
    colours: np.ndarray


def look_of(picture: Image.Image) -> Look | None:
    """Return the look of an RGB picture of 64 x 64 pixels; None if it lacks contrast."""
    grey = picture.convert("L")
    if np.ptp(np.asarray(grey)) < _FAINT:
        return None
    thumbnail = grey.reduce(SIDE // THUMBNAIL_SIDE)
    return Look(_hashes(grey), np.asarray(thumbnail), _mean_colours(np.asarray(picture)))


def _hashes(grey: Image.Image) -> np.ndarray:
    """Return the same hashes as `imagehash.phash`, but of four variants at once, which is faster.

    Source: https://github.com/JohannesBuchner/imagehash.
    """
    inner = (SIDE * CROP, SIDE * CROP, SIDE * (1 - CROP), SIDE * (1 - CROP))
    middle = grey.resize(grey.size, Image.Resampling.BILINEAR, box=inner)
    size = (_HASHED_SIDE, _HASHED_SIDE)
    reduced = [
        np.asarray(picture.resize(size, Image.Resampling.LANCZOS)) for picture in (grey, middle)
    ]
    # The filter is symmetric when it reduces to exactly a half, so a reduced picture can be
    # mirrored instead of reducing the mirrored one.
    variants = np.stack([*reduced, *(picture[:, ::-1] for picture in reduced)])
    low = dct(dct(variants, axis=1)[:, :_FREQUENCIES], axis=2)[..., :_FREQUENCIES]
    low = low.reshape(len(variants), -1)
    # The median of 64 numbers is the mean of the two in the middle. Partitioning finds them
    # without sorting the others.
    middle_two = np.partition(low, (31, 32), axis=1)[:, 31:33]
    bits = low > (middle_two[:, :1] + middle_two[:, 1:]) / 2  # above the median
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def _mean_colours(pixels: np.ndarray) -> np.ndarray:
    """Average (64, 64, 3) pixels over 4 x 4 parts; whole rows first, as NumPy is fast at these."""
    part = SIDE // _COLOUR_CELLS
    bands = np.add.reduce(pixels.reshape(_COLOUR_CELLS, part, -1), axis=1, dtype=np.uint32)
    sums = np.add.reduce(bands.reshape(_COLOUR_CELLS, _COLOUR_CELLS, part, 3), axis=2)
    return np.rint(sums / part**2).astype(np.uint8)
