"""Pictures of 1 to 32 bits per sample: black is 0 and white is 255, whatever the depth."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from images import data_config, file_bytes
from PIL import Image
from tiffs import LEVELS, TWELVE, ramp, tiff

from cnnkit.data.decoding.bit_depths import own_range, proposed_range, read_samples
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError
from cnnkit.model.model_info import ModelInfo


def grey(height, width, **changes):
    return PixelSettings((height, width), "grayscale", **changes)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
@pytest.mark.parametrize("order", ["<", ">"], ids=["II", "MM"])
@pytest.mark.parametrize(
    "form", [{}, {"deflate": True}, {"tile": 16}, {"tile": 16, "deflate": True}]
)
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_grey_tiffs_of_every_depth(bits, order, form, white_is_zero):
    values, expected = ramp(bits)
    data = tiff(values, bits, order=order, white_is_zero=white_is_zero, **form)
    found = read_pixels(data, grey(32, 32))[..., 0].astype(int)
    assert np.abs(found - (255 - expected if white_is_zero else expected)).max() <= (bits != 8)


@pytest.mark.parametrize("bits", [4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
def test_colour_tiffs_of_every_depth(bits, order, deflate):
    values, expected = ramp(bits, channels=3)
    data = tiff(values, bits, order=order, deflate=deflate)
    if bits == 4 and deflate:
        return
    found = read_pixels(data, PixelSettings((32, 32))).astype(int)
    assert np.abs(found - expected).max() <= (bits != 8)


def test_odd_widths_are_padded_to_whole_bytes():
    values, expected = ramp(12, 5, 7)
    assert np.array_equal(read_pixels(tiff(values, 12), grey(5, 7))[..., 0], expected)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_of_a_twelve_bit_tiff_is_applied(orientation):
    values, expected = ramp(12, 8, 8)
    found = read_pixels(tiff(values, 12, more=[(274, orientation)]), grey(8, 8))[..., 0]
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    assert np.array_equal(found, np.rot90(expected, turns))


def png(values, significant=None):
    """Return a PNG of 16 bits, grey or in colours, with an sBIT chunk."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = values.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    if significant:
        chunks.append((b"sBIT", bytes([significant] * channels)))
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


STATED = {
    "TIFF MaxSampleValue": (tiff(TWELVE, 16, more=[(281, 4095)]), LEVELS),
    "TIFF SMaxSampleValue": (tiff(TWELVE, 16, more=[(341, 4095)]), LEVELS),
    "TIFF white is zero": (
        tiff(TWELVE, 16, white_is_zero=True, more=[(281, 4095)]),
        255 - LEVELS,
    ),
    "PNG sBIT, low bits": (png(TWELVE, 12), LEVELS),
    "PNG sBIT, shifted up": (png(TWELVE << 4, 12), LEVELS),
    "PNG sBIT, repeated": (png(TWELVE << 4 | TWELVE >> 8, 12), LEVELS),
    "PGM maxval": (b"P5 64 8 4095\n" + TWELVE.astype(">u2").tobytes(), LEVELS),
    "plain PGM": (
        b"P2 64 8 4095\n" + " ".join(map(str, TWELVE.ravel())).encode() + b"\n",
        LEVELS,
    ),
}


@pytest.mark.parametrize("case", STATED)
def test_a_range_that_the_file_states_is_used(case):
    data, expected = STATED[case]
    found = read_pixels(data, grey(8, 64))[..., 0].astype(int)
    assert np.abs(found - expected).max() <= 1
    assert own_range(read_samples(data)) is None


def test_the_largest_sample_of_one_picture_is_not_its_range():
    values = np.full((8, 8), 3000)
    assert read_pixels(tiff(values, 16, more=[(281, 3000)]), grey(8, 8))[0, 0, 0] == 12
    assert read_pixels(tiff(values, 16, more=[(281, 1023)]), grey(8, 8))[0, 0, 0] == 12


COLOURS, COLOUR_LEVELS = ramp(12, 8, 8, channels=3)
SIGNED = (TWELVE - 1024).astype(np.int32)
FLOATS = (TWELVE / 4095 * 2 - 1).astype(np.float32)


@pytest.mark.parametrize(
    ("data", "sample_range", "expected"),
    [
        (file_bytes(Image.fromarray(TWELVE.astype(np.uint16))), (0, 4095), LEVELS),
        (file_bytes(Image.fromarray(TWELVE.astype(np.uint16)), "TIFF"), (0, 4095), LEVELS),
        (tiff(TWELVE, 16, white_is_zero=True), (0, 4095), 255 - LEVELS),
        (tiff(TWELVE, 12), (0, 4095), LEVELS),
        (b"P5 64 8 4095\n" + TWELVE.astype(">u2").tobytes(), (0, 4095), LEVELS),
        (file_bytes(Image.fromarray(SIGNED), "TIFF"), (-1024, 3071), LEVELS),
        (file_bytes(Image.fromarray(FLOATS), "TIFF"), (-1, 1), LEVELS),
        (png(COLOURS), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16, order=">"), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16, deflate=True), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16, order=">", deflate=True), (0, 4095), COLOUR_LEVELS),
    ],
)  # fmt: skip
def test_the_setting_gives_black_and_white(data, sample_range, expected):
    mode = "rgb" if expected.ndim == 3 else "grayscale"
    settings = PixelSettings(expected.shape[:2], mode, sample_range=sample_range)
    found = read_pixels(data, settings).astype(int)
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([np.nan, 0, 0.5, 1], [0, 0, 128, 255]),
        ([-np.inf, 0, 1, np.inf], [0, 0, 255, 255]),
        ([-3e38, 0, 1, 3e38], [0, 0, 255, 255]),
        ([0.5, np.nan, np.nan, 0.5], [128, 0, 0, 128]),
    ],
)
def test_pixels_without_a_measurement_are_black(samples, expected):
    data = file_bytes(Image.fromarray(np.array([samples], np.float32)), "TIFF")
    assert read_pixels(data, grey(1, 4, sample_range=(0, 1)))[0, :, 0].tolist() == expected
    found = read_samples(data)
    assert np.isfinite(found.extremes).all() and not found.is_constant


def test_a_signalling_nan_is_missing_too():
    samples = np.array([[0x7FA00000, 0x3F800000]], np.uint32).view(np.float32)
    stream = b"Pf\n2 1\n-1.0\n" + samples.tobytes()
    assert read_pixels(stream, grey(1, 2, sample_range=(0, 1)))[0, :, 0].tolist() == [0, 255]


def test_a_picture_without_any_number_is_damaged():
    data = file_bytes(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF")
    with pytest.raises(ImageError, match="all its numbers are missing"):
        read_pixels(data, grey(4, 4, sample_range=(0, 1)))


def test_samples_outside_the_setting_become_black_and_white():
    values = np.array([[0, 99, 100, 150, 200, 201, 65535]], np.uint16)
    found = read_pixels(file_bytes(Image.fromarray(values)), grey(1, 7, sample_range=(100, 200)))
    assert found[0, :, 0].tolist() == [0, 0, 0, 128, 255, 255, 255]


def test_alpha_stays_as_it_is():
    values = np.zeros((1, 2, 4), np.int64)
    values[..., :3], values[0, 1, 3] = 2000, 65535
    settings = PixelSettings((1, 2), sample_range=(0, 4000), background=9)
    assert read_pixels(png(values), settings)[0, :, 0].tolist() == [9, 128]


def test_pictures_of_eight_bits_are_not_changed_by_the_setting():
    data = file_bytes(Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    found = read_pixels(data, grey(16, 16, sample_range=(0, 100)))
    assert np.array_equal(found, read_pixels(data, grey(16, 16)))


def test_the_setting_is_stored_with_the_model_and_in_the_config():
    settings = PixelSettings.of(data_config("x", sample_range=[0, 4095]))
    assert settings.sample_range == (0, 4095)
    info = ModelInfo(("a", "b"), settings, "softmax")
    assert ModelInfo.from_json(info.to_json()) == info
    assert "sample_range" not in PixelSettings((4, 4)).to_dict()


def test_a_broken_twelve_bit_tiff_is_an_image_error():
    good = tiff(TWELVE, 12, deflate=True)
    for end in range(4, len(good), 7):
        with pytest.raises(ImageError):
            read_pixels(good[:end], grey(8, 64))
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(good)
        for place in random.integers(2, 200, 3):
            broken[place] = random.integers(256)
        try:
            assert read_pixels(bytes(broken), grey(8, 64)).shape == (8, 64, 1)
        except ImageError as error:
            assert str(error)
            assert "object at" not in str(error)


@pytest.mark.parametrize(
    ("highest", "expected"),
    [(190, (0, 255)), (256, (0, 1023)), (4095, (0, 4095)), (16383, (0, 16383)), (16384, None)],
)
def test_the_proposed_range_is_that_of_the_smallest_camera(highest, expected):
    assert proposed_range(highest) == expected
