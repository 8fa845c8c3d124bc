"""Read TIFF files that break the rules in well-known ways, and say what others hold."""

from __future__ import annotations

from PIL import ImagePalette
from PIL.ImageFile import ImageFile as OpenedImage

from cnnkit.data.decoding.tiff_samples import (
    BITS,
    COLOUR_MAP,
    HEIGHT,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    SAMPLES,
    WIDTH,
    TiffHeader,
)

_GREY, _COLOURS, _PALETTE = 1, 2, 3  # of PHOTOMETRIC
_SIGNED = 2  # of SAMPLE_FORMAT
_NUMBERS = {1: "whole", _SIGNED: "signed", 3: "decimal", 5: "complex", 6: "complex"}


def lacks_photometric(header: TiffHeader) -> bool:
    """Tell whether a file does not say which is zero, black or white. Pillow assumes white."""
    return header.count(PHOTOMETRIC) == 0 and header.get(SAMPLES, 1) in (1, 3)


def with_photometric(header: TiffHeader) -> bytes:
    """Return the file with black as zero, or with red, green and blue, as most programs assume."""
    return header.with_tag(PHOTOMETRIC, _GREY if header.get(SAMPLES, 1) == 1 else _COLOURS)


def repair_palette(image: OpenedImage) -> None:
    """Use a palette of 0 to 255 as it is. It should be of 0 to 65535, and Pillow divides by 256."""
    colours = getattr(image, "tag_v2", {}).get(COLOUR_MAP)
    if image.mode in ("P", "PA") and colours and max(colours) < 256:
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def is_signed_bytes(header: TiffHeader) -> bool:
    """Tell whether the samples are numbers from -128 to 127, which Pillow reads as 0 to 255."""
    return header.get(BITS, 1) == 8 and header.get(SAMPLE_FORMAT, 1) == _SIGNED


def why_unread(header: TiffHeader) -> str | None:
    """Return what a file holds that cannot be read; None if it may as well be damaged."""
    samples, bits = header.get(SAMPLES, 1), header.get(BITS, 1)
    numbers = _NUMBERS.get(header.get(SAMPLE_FORMAT, 1))
    makes_sense = header.get(WIDTH, 0) and header.get(HEIGHT, 0) and samples and numbers
    if not makes_sense or bits not in (8, 16, 32, 64, 128):
        return None
    is_colour_or_grey = header.get(PHOTOMETRIC, _GREY) in (0, _GREY, _COLOURS, _PALETTE)
    if is_colour_or_grey and samples in (1, 3) and bits in (8, 16) and numbers == "whole":
        return None
    each = "one number" if samples == 1 else f"{samples} numbers"
    return (
        f"it is a TIFF with {each} for each pixel ({numbers}, of {bits} bits), which cannot be "
        "read; convert it to grey or RGB with 8 or 16 bits per channel"
    )
