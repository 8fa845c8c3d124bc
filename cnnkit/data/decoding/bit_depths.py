"""Scale pictures of more than 8 bits per sample to 8 bits: find their range, black and white."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from cnnkit.data.decoding.image_formats import INVERTED, OpenedImage, decoding, open_image
from cnnkit.data.decoding.png_chunks import PNG_MAGIC, find_chunk
from cnnkit.data.decoding.stored_samples import as_in_file
from cnnkit.data.decoding.tiff_samples import BITS, MAX_SAMPLE
from cnnkit.errors import ImageError

SampleRange = tuple[float, float]

FULL: SampleRange = (0, 65535)
_WIDE_COLOURS = (";16B", ";16L", ";16N")  # of Pillow's raw modes; BGR;16 has 16 bits in total
_WIDE_RAW_MODES = (*_WIDE_COLOURS, ";16S")
_MIN_SAMPLE, _SMALLEST, _LARGEST = 280, 340, 341  # tags of TIFF
_CAMERA_BITS = (8, 10, 12, 14)
_MOST_LOW_BIT = 1  # what rounding leaves in the low bits of numbers that were scaled up


@dataclass(frozen=True, eq=False)
class WideSamples:
    """The samples of a picture with more than 8 bits per sample, as they are in the file.

    Args:
        values: numbers (height, width), or (height, width, 3) of colours.
        stated: black and white, if the file states them; None if it does not.
        image: the picture that they are from, loaded.
    """

    values: np.ndarray
    stated: SampleRange | None
    image: OpenedImage

    @property
    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest sample, without those that are missing (NaN) or infinite."""
        values = self.values
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        return values.min().item(), values.max().item()

    @property
    def is_constant(self) -> bool:
        """Whether all pixels are the same."""
        return bool((self.values == self.values[0, 0]).all())


def proposed_range(highest: float) -> SampleRange | None:
    """Return the range of a camera of 8 to 14 bits whose samples are this high; None if higher.

    >>> proposed_range(3000), proposed_range(40000)
    ((0, 4095), None)
    """
    return next(((0, (1 << bits) - 1) for bits in _CAMERA_BITS if highest < 1 << bits), None)


def read_samples(data: bytes) -> WideSamples | None:
    """Return the samples of a file of more than 8 bits per sample; None for other pictures.

    Raises:
        ImageError: the image cannot be read.
    """
    image = open_image(data)
    with decoding(data):
        return wide_samples(data, image)


def own_range(samples: WideSamples | None) -> SampleRange | None:
    """Return the extremes of a picture that would be nearly black, or whose black is not known.

    Args:
        samples: of the picture; None for one of 8 bits per sample.
    """
    if samples is None or samples.stated is not None or samples.is_constant:
        return None
    lowest, highest = samples.extremes
    if lowest == highest:  # and NaN
        return None
    is_usual = FULL[0] <= lowest and highest <= FULL[1] and proposed_range(highest) is None
    return None if is_usual else (lowest, highest)


def is_wide(image: OpenedImage) -> bool:
    """Tell whether an image that is not loaded yet has more than 8 bits per sample."""
    raw_modes = str([tile[3] for tile in image.tile])
    return _is_wide_grey(image) or any(mode in raw_modes for mode in _WIDE_RAW_MODES)


def _is_wide_grey(image: OpenedImage) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def wide_samples(data: bytes, image: OpenedImage) -> WideSamples | None:
    """Return the samples of a picture of more than 8 bits per sample; None for other pictures.

    Args:
        data: the bytes of the file.
        image: the same, just opened; it is loaded.
    """
    if not is_wide(image):
        return None
    maximum = _portable_maximum(image)
    is_grey = _is_wide_grey(image)
    swapped = None if is_grey else _swapped(data)
    image.load()
    values = np.asarray(image)
    if maximum:  # Pillow has scaled them to 16 bits
        values = np.rint(values * (maximum / FULL[1])).astype(np.int32)
    elif not is_grey:
        values = _colours(image, swapped)
    else:
        values = as_in_file(data, image, values)
    if not values.size:
        raise ImageError("the picture has no pixels", kind="damaged")
    if values.dtype.kind == "f" and not np.isfinite(values).any():
        raise ImageError("all its numbers are missing (NaN) or infinite", kind="damaged")
    return WideSamples(values, (0, maximum) if maximum else _stated(data, image, values), image)


def states_range(data: bytes, image: OpenedImage) -> bool:
    """Tell whether a file may state a smaller range than that of its numbers, by its header."""
    return _portable_maximum(image) is not None or _stated_maximum(data, image) is not None


def to_grey(samples: np.ndarray, black_and_white: SampleRange) -> np.ndarray:
    """Return uint8 levels: black, below and missing (NaN) become 0, white and above become 255."""
    black, white = black_and_white
    if samples.dtype.kind == "u" and samples.dtype.itemsize == 2:
        levels = np.arange(1 << 16)
        return _scaled(levels, black, white)[samples]  # a table is fast and needs little memory
    return _scaled(samples, black, white)


def _scaled(values: np.ndarray, black: float, white: float) -> np.ndarray:
    if values.dtype.kind == "f":
        # Before the conversion: NumPy warns as it converts a NaN of the signalling kind.
        values = np.where(np.isnan(values), black, values)
    shares = (np.clip(values, black, white).astype(np.float64) - black) / (white - black)
    # Halves go up; np.rint would take them to the even neighbour.
    return np.floor(shares * 255 + 0.5).astype(np.uint8)


def range_of(
    image: OpenedImage, samples: WideSamples, sample_range: SampleRange | None
) -> SampleRange:
    """Return the samples that become black and white.

    Args:
        image: the opened image.
        samples: its samples.
        sample_range: the setting; None to use what the file states, or else all of 16 bits.

    Raises:
        ImageError: black and white are not known.
    """
    if sample_range is not None and image.format != "JPEG2000":  # Pillow fills 16 bits with these
        return sample_range
    if samples.stated is not None:
        return samples.stated
    advice = "set data.sample_range to [black, white], or convert it to 8 or 16 bits per channel"
    if image.mode == "F":
        raise ImageError(
            "it holds decimal numbers (mode F), whose black and white are not known; " + advice,
            kind="unsupported_pixels",
        )
    lowest, highest = samples.extremes
    if lowest < FULL[0] or highest > FULL[1]:
        raise ImageError(
            f"it holds numbers from {lowest} to {highest}, whose black and white are not "
            "known; " + advice,
            kind="unsupported_pixels",
        )
    return FULL


def grey_levels(
    image: OpenedImage, samples: WideSamples, sample_range: SampleRange | None
) -> np.ndarray:
    """Return the picture in uint8 levels, (height, width) or (height, width, 3)."""
    grey = to_grey(samples.values, range_of(image, samples, sample_range))
    return 255 - grey if image.info.get(INVERTED) else grey


def _portable_maximum(image: OpenedImage) -> int | None:
    """Return the stated maximum of a PGM of more than 8 bits that Pillow scales; else None."""
    if image.format != "PPM" or image.mode != "I" or image.tile[0][0] == "raw":
        return None
    arguments = image.tile[0][3]
    return int(arguments[-1]) if isinstance(arguments, tuple) else None


def _stated(data: bytes, image: OpenedImage, values: np.ndarray) -> SampleRange | None:
    """Return the range that a file states, unless its numbers show that it does not hold."""
    maximum = _stated_maximum(data, image)
    if maximum is None or values.max() > maximum:
        return None
    if image.format == "PNG":
        # A PNG states the bits that its numbers had before they were scaled up to 16. Numbers that
        # were never scaled up are recognized by their low bits.
        low_bits = (1 << 16 - maximum.bit_length()) - 1
        if not np.any(np.bitwise_and(values, low_bits) > _MOST_LOW_BIT):
            return None
    return (0, maximum)


def _stated_maximum(data: bytes, image: OpenedImage) -> int | None:
    """Return the largest sample by the header, if that is one of 9 to 15 bits; None for others."""
    if data.startswith(PNG_MAGIC):
        bits = set(find_chunk(data, b"sBIT") or b"")
        maximum = (1 << bits.pop()) - 1 if len(bits) == 1 else 0
    elif image.format == "TIFF" and image.mode != "F":
        maximum = _tiff_maximum(image)
    else:
        return None
    # Some programs write the largest sample of the one picture, which says nothing about others.
    # All ones in binary: 4,095 is the largest number of 12 bits, 4,000 is of one picture.
    is_depth = maximum & (maximum + 1) == 0
    return maximum if is_depth and 8 < maximum.bit_length() < 16 else None


def _tiff_maximum(image: OpenedImage) -> int:
    tags = getattr(image, "tag_v2", {})
    bits = _first(tags.get(BITS))
    lowest = _first(tags.get(_SMALLEST, tags.get(_MIN_SAMPLE)))
    if bits < 16:
        return (1 << bits) - 1
    return 0 if lowest else _first(tags.get(_LARGEST, tags.get(MAX_SAMPLE)))


def _first(value: object) -> int:
    value = value[0] if isinstance(value, tuple) and value else value
    return int(value) if isinstance(value, int | float) else 0


def _swapped(data: bytes) -> OpenedImage | None:
    """Return the image with its tiles set up so that Pillow reads the low byte of each sample.

    Pillow has no colours of 16 bits: it reads the high byte only. If it takes the samples for those
    of a machine with the other byte order, that is the low byte.
    """
    image = open_image(data)
    tiles = []
    for tile in image.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        raw_mode = _other_order(arguments[0])
        if raw_mode is None:
            return None
        changed = (raw_mode, *arguments[1:]) if isinstance(tile[3], tuple) else raw_mode
        tiles.append(tile._replace(args=changed))
    image.tile = tiles
    return image


def _other_order(raw_mode: str) -> str | None:
    if raw_mode.startswith("LA") or not raw_mode.endswith(_WIDE_COLOURS):
        return None  # Pillow knows grey with alpha in one order only
    native = "L" if sys.byteorder == "little" else "B"
    order = native if raw_mode[-1] == "N" else raw_mode[-1]
    return raw_mode[:-1] + ("B" if order == "L" else "L")


def _colours(image: OpenedImage, swapped: OpenedImage | None) -> np.ndarray:
    """Return uint16 samples (height, width, 3) of colours."""
    high = np.asarray(image.convert("RGB"), np.uint16)
    if swapped is None or image.mode not in ("RGB", "RGBA"):
        # 255 becomes 65,535: white stays white.
        return high * np.uint16(257)
    swapped.load()
    return high * np.uint16(256) + np.asarray(swapped)[..., :3]
