"""TIFF files that do not hold the pixels that their headers claim."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from images import file_bytes
from PIL import Image
from tiffs import TWELVE, ramp, tiff

from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError


def grey(height, width):
    return PixelSettings((height, width), "grayscale")


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({278: 1}, "1 of 8 strips"),
        ({257: 327_688, 278: 1}, "1 of 327,688 strips"),
        ({256: 64, 257: 327_688, 322: 16, 323: 16, 324: None}, "1 of 81,924 tiles"),
        ({284: 2, 277: 3, 262: 2, 258: 8}, "1 of 3 strips"),
    ],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_tiff_that_lists_too_few_parts_is_refused_and_not_black(bits, changes, missing):
    tags = {256: 8, 257: 8, 258: bits, 259: 1, 262: 1, 273: None, 277: 1, 278: 8} | changes
    start = 8 + 2 + 12 * len(tags) + 4
    entries = [(tag, start if value is None else value) for tag, value in sorted(tags.items())]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    data = b"II" + struct.pack("<HIH", 42, 8, len(tags)) + body + bytes(4) + b"\x77" * 200
    with pytest.raises(ImageError, match=f"incomplete: its header lists {missing}") as caught:
        read_pixels(data, grey(8, 8))
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("compression", [5, 8, 32946, 32773])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_small_tiff_that_claims_many_pixels_is_refused_at_once(compression, bits, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)  # would take seconds, and gigabytes of memory
    values = np.zeros((4, 4), int)
    data = bytearray(tiff(values, bits, deflate=True, more=[(700, compression)]))
    for tag, value in ((256, 16_711_688), (257, 8), (278, 8), (259, compression)):
        at = data.index(struct.pack("<HHI", tag, 4, 1))
        data[at + 8 : at + 12] = struct.pack("<I", value)
    with pytest.raises(ImageError, match=r"bytes cannot hold 16,711,688 x 8 pixels") as caught:
        read_pixels(bytes(data), grey(8, 8))
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_of_one_colour_that_is_packed_very_tightly_is_read(compression):
    data = file_bytes(Image.new("L", (3000, 2000)), "TIFF", compression=compression)
    assert read_pixels(data, grey(4, 4)).max() == 0


def test_the_rows_of_a_twelve_bit_tiff_may_end_inside_a_byte():
    for width in (1, 2, 3, 7, 9, 17):
        values, levels = ramp(12, 5, width)
        for bits, used in ((12, values), (11, values >> 1)):
            found = read_pixels(tiff(used, bits), grey(5, width))[..., 0].astype(int)
            assert np.abs(found - levels).max() <= (bits < 12)


def test_a_twelve_bit_tiff_that_is_too_large_says_how_large():
    header = bytearray(tiff(TWELVE, 12))
    for tag in (256, 257, 278):
        at = header.index(struct.pack("<HHI", tag, 4, 1))
        header[at + 8 : at + 12] = struct.pack("<I", 13_000)
    with pytest.raises(
        ImageError, match="claims 13,000 x 13,000 pixels of 12 bits.*; save it with"
    ):
        read_pixels(bytes(header), grey(8, 8))
