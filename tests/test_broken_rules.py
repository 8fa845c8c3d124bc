"""Pictures that break the rules of their format, or use parts of it that few programs know."""

from __future__ import annotations

import logging
import struct

import numpy as np
import pytest
from images import file_bytes
from PIL import Image

from cnnkit.data.check.image_faults import facts_of
from cnnkit.data.decoding.bit_depths import read_samples
from cnnkit.data.decoding.image_formats import image_extensions
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError

COLOURS = np.array([[(200, 30, 10), (180, 35, 40)], [(30, 50, 200), (10, 60, 220)]], np.uint8)
LEVELS = np.array([[10, 80], [160, 250]], np.uint8)
SETTINGS = PixelSettings((2, 2))
TYPES = {"B": 1, "H": 3, "I": 4}


def pixels(data, **changes):
    return read_pixels(data, PixelSettings((2, 2), **changes))


# --- an alpha channel that is not used


def bitmap(alpha, version):
    """Return a BMP of 32 bits whose header names the fourth byte as alpha."""
    size = {4: 108, 5: 124}[version]
    rows = np.dstack([COLOURS[::-1, :, ::-1], np.full((2, 2), alpha, np.uint8)]).tobytes()
    head = struct.pack("<IiiHHIIiiII", size, 2, 2, 1, 32, 3, len(rows), 0, 0, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    start = 14 + size
    return (
        b"BM"
        + struct.pack("<IHHI", start + len(rows), 0, 0, start)
        + head.ljust(size, b"\0")
        + rows
    )


def rgba(kind, alpha, **options):
    return file_bytes(Image.fromarray(np.dstack([COLOURS, alpha])), kind, **options)


NOTHING, HALF = np.zeros((2, 2), np.uint8), np.array([[0, 255], [0, 255]], np.uint8)


@pytest.mark.parametrize(
    ("data", "expected", "kinds"),
    [
        (bitmap(0, 4), COLOURS, set()),
        (bitmap(0, 5), COLOURS, set()),
        (bitmap(255, 5), COLOURS, {"transparent"}),
        (rgba("TGA", NOTHING), COLOURS, set()),
        (rgba("TGA", HALF), np.where(HALF[..., None], COLOURS, 255), {"transparent"}),
        (rgba("PNG", NOTHING), np.full((2, 2, 3), 255), {"transparent", "constant"}),
        (rgba("PNG", HALF), np.where(HALF[..., None], COLOURS, 255), {"transparent"}),
    ],
)
def test_an_alpha_of_zero_everywhere_is_no_alpha_in_bmp_and_tga(data, expected, kinds, tmp_path):
    assert np.array_equal(pixels(data), expected)
    (tmp_path / "file").write_bytes(data)
    assert {kind for kind, _ in facts_of(LocalFile(str(tmp_path / "file"))).faults} == kinds


# --- TIFF


def tiff(content, order="<", big=False, **tags):
    """Return a TIFF of 2 x 2 pixels; `tags` are its tags, `t258="HHH", (8, 8, 8)`."""
    entries = {256: ("H", [2]), 257: ("H", [2]), 259: ("H", [1]), 278: ("H", [2])}
    entries |= {279: ("I", [len(content)]), 262: ("H", [1]), 258: ("H", [8]), 277: ("H", [1])}
    entries |= {int(tag[1:]): ("H", value) for tag, value in tags.items()}
    entries = {tag: entry for tag, entry in entries.items() if entry[1] is not None}
    wide, count, start = ("Q", "Q", 16) if big else ("I", "H", 8)
    room, lists = (8 if big else 4), content
    entries[273] = ("I", [start])
    body = b""
    for tag, (code, numbers) in sorted(entries.items()):
        value = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        if len(value) > room:
            value, lists = struct.pack(order + wide, start + len(lists)), lists + value
        body += struct.pack(f"{order}HH{wide}", tag, TYPES[code], len(numbers))
        body += value.ljust(room, b"\0")
    mark = b"II" if order == "<" else b"MM"
    first = struct.pack(order + wide, start + len(lists))
    magic = struct.pack(f"{order}HHH", 43, 8, 0) if big else struct.pack(f"{order}H", 42)
    number = struct.pack(order + count, len(entries))
    return mark + magic + first + lists + number + body + struct.pack(order + wide, 0)


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize(
    ("bits", "samples", "values"),
    [(8, 1, LEVELS), (16, 1, LEVELS * np.uint16(257)), (8, 3, COLOURS)],
)
def test_black_is_zero_if_a_tiff_does_not_say_so(order, big, bits, samples, values):
    content = values.astype(f"{order}u{bits // 8}").tobytes()
    data = tiff(content, order, big, t262=None, t258=[bits] * samples, t277=[samples])
    expected = COLOURS if samples == 3 else LEVELS[..., None].repeat(3, axis=2)
    assert np.array_equal(pixels(data), expected)


@pytest.mark.parametrize(("factor", "expected"), [(257, COLOURS), (1, COLOURS)])
def test_the_palette_of_a_tiff_may_have_levels_of_8_bits(factor, expected):
    palette = np.zeros((3, 256), int)
    palette[:, :4] = COLOURS.reshape(4, 3).T
    data = tiff(bytes(range(4)), t262=[3], t320=(palette * factor).ravel().tolist())
    assert np.array_equal(pixels(data), expected)


def test_unsigned_numbers_of_32_bits_keep_their_sign():
    values = np.array([[0, 70_000], [2**31, 2**32 - 1]], "<u4")
    data = tiff(values.tobytes(), t258=[32])
    assert read_samples(data).extremes == (0, 2**32 - 1)
    found = pixels(data, sample_range=(0, 2**32 - 1), color_mode="grayscale")
    assert found.ravel().tolist() == [0, 0, 128, 255]
    with pytest.raises(ImageError, match="numbers from 0 to 4294967295.*set data.sample_range"):
        pixels(data)


@pytest.mark.parametrize(
    ("tags", "size", "words"),
    [
        (
            {"t258": [16] * 13, "t277": [13], "t338": [0] * 12},
            104,
            "13 numbers .*whole, of 16 bits",
        ),
        ({"t258": [8] * 4, "t277": [4], "t338": [0] * 3}, 16, "4 numbers .*whole, of 8 bits"),
        ({"t258": [8] * 2, "t277": [2]}, 8, "2 numbers for each pixel"),
        ({"t258": [32] * 3, "t277": [3], "t262": [2], "t339": [3] * 3}, 48, "3 numbers .*decimal"),
        ({"t258": [64], "t339": [3]}, 32, r"one number .*\(decimal, of 64 bits\)"),
        ({"t258": [16], "t339": [3]}, 8, r"one number .*\(decimal, of 16 bits\)"),
        ({"t258": [64], "t339": [6]}, 32, "one number .*complex"),
        ({"t258": [16] * 3, "t277": [3], "t262": [8]}, 24, "3 numbers .*whole, of 16 bits"),
        ({"t339": [2]}, 4, "a TIFF with numbers from -128 to 127"),
    ],
)
def test_a_tiff_that_cannot_be_read_says_what_it_holds(tags, size, words, caplog, capfd):
    caplog.handler.setLevel(logging.CRITICAL + 1)
    with pytest.raises(ImageError, match=words) as caught:
        pixels(tiff(bytes(size), **tags))
    assert caught.value.kind == "unread_format"
    assert "convert it to " in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_tiff_with_a_broken_header_is_damaged():
    with pytest.raises(ImageError, match="its header is broken") as caught:
        pixels(tiff(bytes(4), t259=[9999], t258=[8, 8]))
    assert caught.value.kind == "damaged"


@pytest.mark.filterwarnings("error")
def test_missing_numbers_are_black():
    values = np.array([[0, np.nan], [0.5, 1]], np.float32)
    data = file_bytes(Image.fromarray(values), "TIFF")
    assert read_samples(data).extremes == (0, 1)
    found = pixels(data, sample_range=(0, 1), color_mode="grayscale")
    assert found.ravel().tolist() == [0, 0, 128, 255]
    nothing = file_bytes(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF")
    with pytest.raises(ImageError, match="all its numbers are missing"):
        pixels(nothing, sample_range=(0, 1))


# --- FITS


def fits(values, **header):
    """Return a FITS file; its rows go from the bottom to the top."""
    bits = values.dtype.itemsize * (8 if values.dtype.kind == "i" else -8)
    cards = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": 2, "NAXIS2": 2, **header}
    text = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in cards.items())
    data = (text + "END").ljust(2880).encode() + values[::-1].tobytes()
    return data.ljust(-(-len(data) // 2880) * 2880, b"\0")


RAMP = np.array([[0, 32768], [32896, 65535]])


@pytest.mark.parametrize(
    ("data", "sample_range"),
    [
        (fits((RAMP - 32768).astype(">i2"), BZERO=32768, BSCALE=1), None),
        (fits((RAMP - 32768).astype(">i2"), BZERO="3.2768E+04"), None),
        (fits((RAMP - 32768).astype(">i2")), (-32768, 32767)),
        (fits((RAMP - 32768).astype(">i2"), BZERO=16384, BSCALE=0.5), (0, 32767.5)),
        (fits(RAMP.astype(">i4")), None),
        (fits((RAMP / 65535).astype(">f4")), (0, 1)),
    ],
)
def test_fits_has_the_sign_and_the_scale_of_its_header(data, sample_range):
    found = pixels(data, sample_range=sample_range, color_mode="grayscale")
    assert found[..., 0].tolist() == [[0, 128], [128, 255]]


def test_signed_fits_needs_a_range():
    with pytest.raises(ImageError, match="numbers from -5 to 7, whose black and white"):
        pixels(fits(np.array([[-5, 0], [1, 7]], ">i2")))


# --- names


def test_mpo_is_an_image():
    assert ".mpo" in image_extensions()


def test_a_psd_that_cannot_be_read_is_named():
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 2, 2, 16, 3) + bytes(14)
    with pytest.raises(ImageError, match="begins like a PSD file"):
        pixels(head + bytes(24))


def test_a_png_for_the_iphone_is_named():
    data = file_bytes(Image.fromarray(COLOURS))
    chunk = struct.pack(">I4s4sI", 4, b"CgBI", b"P\0 \2", 0)
    with pytest.raises(ImageError, match="Xcode") as caught:
        pixels(data[:8] + chunk + data[8:])
    assert caught.value.kind == "unread_format"
