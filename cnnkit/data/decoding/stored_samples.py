"""Correct the numbers of more than 8 bits that Pillow reads without the sign or scale of a file."""

from __future__ import annotations

import re

import numpy as np
from PIL.ImageFile import ImageFile as OpenedImage

from cnnkit.data.decoding.tiff_samples import BITS, SAMPLE_FORMAT

_CARD = 80  # bytes of one line in the header of a FITS file
_NUMBER = re.compile(rb"(NAXIS|BZERO|BSCALE) *= *([-+0-9.eEdD]+)")


def as_in_file(data: bytes, image: OpenedImage, values: np.ndarray) -> np.ndarray:
    """Return the numbers that a file states.

    Args:
        data: the bytes of the file.
        image: the same, loaded. Its mode is that of Pillow.
        values: its pixels, as Pillow gives them.
    """
    if image.format == "FITS":
        return _fits(data, image, values)
    if image.format == "TIFF" and image.mode == "I" and _is_unsigned_32(image):
        # Pillow gives them as int32, in which the larger half is negative.
        return values.view(np.uint32).astype(np.int64)
    return values


def _is_unsigned_32(image: OpenedImage) -> bool:
    tags = getattr(image, "tag_v2", {})
    return tags.get(BITS) == (32,) and tags.get(SAMPLE_FORMAT, (1,)) == (1,)


def _fits(data: bytes, image: OpenedImage, values: np.ndarray) -> np.ndarray:
    """Apply the sign, which FITS numbers of 16 bits always have, and the scale of the header."""
    if image.mode.startswith("I;16"):
        values = values.astype(np.uint16).view(np.int16).astype(np.int64)
    facts = _header_of_picture(data)
    offset, factor = facts.get("BZERO", 0.0), facts.get("BSCALE", 1.0)
    if (offset, factor) == (0, 1):
        return values
    scaled = values * factor + offset
    is_whole = image.mode != "F" and factor.is_integer() and offset.is_integer()
    return scaled.astype(np.int64) if is_whole else scaled


def _header_of_picture(data: bytes) -> dict[str, float]:
    """Return the numbers in the first header that is followed by a picture."""
    facts: dict[str, float] = {}
    for start in range(0, len(data), _CARD):
        card = data[start : start + _CARD]
        if found := _NUMBER.match(card):
            # FITS follows Fortran, which may write the exponent with a D.
            facts[found[1].decode()] = float(found[2].upper().replace(b"D", b"E"))
        elif card.startswith(b"END ") and facts.get("NAXIS"):
            break
    return facts
