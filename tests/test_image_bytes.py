"""Image files decoded by TensorFlow's operations: nearly the pixels of `read_pixels`."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from images import file_bytes, four_corners, noise
from PIL import Image

from cnnkit.backend import tf
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.export.exif_in_graph import exif_orientation
from cnnkit.export.image_bytes import pixels_function


def _decoder(settings):
    return tf.function(
        pixels_function(settings), input_signature=[tf.TensorSpec([None], tf.string)]
    )


def _difference(decode, settings, content):
    found = decode(tf.constant([content])).numpy()[0]
    return np.abs(found.astype(int) - read_pixels(content, settings)).max()


def _photograph(width, height):
    """Return a picture with soft edges, which is one as a JPEG too."""
    return noise(width // 10, height // 10, seed=1).resize((width, height), Image.BICUBIC)


def _turned(image, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return file_bytes(image, "JPEG", exif=exif, quality=95, **options)


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_all_orientations_and_sizes_of_jpegs_are_within_a_level(resize, color_mode):
    settings = PixelSettings((40, 56), color_mode, resize, background=100)
    decode = _decoder(settings)
    files = [_turned(_photograph(150, 100), orientation) for orientation in range(1, 9)]
    # So large that they are decoded at a half and a quarter; 451 / 4 is not a whole number.
    files += [
        _turned(_photograph(*size), turn) for size in ((301, 230), (621, 451)) for turn in (1, 6)
    ]
    assert [_difference(decode, settings, content) <= 1 for content in files] == [True] * 12


def test_orientations_turn_the_corners():
    settings = PixelSettings((24, 40))
    decode = _decoder(settings)
    answers = {decode([_turned(four_corners(), turn)]).numpy().tobytes() for turn in range(1, 9)}
    assert len(answers) == 8


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_png_gif_bmp_and_transparency_are_within_a_level(color_mode):
    settings = PixelSettings((30, 20), color_mode, "pad", background=60)
    decode = _decoder(settings)
    picture = _photograph(60, 80)
    see_through = picture.copy()
    see_through.putalpha(noise(60, 80, seed=2).convert("L"))
    files = [
        file_bytes(picture), file_bytes(picture.convert("L")), file_bytes(see_through),
        file_bytes(see_through.convert("LA")), file_bytes(picture, "BMP"),
        file_bytes(picture.quantize(16)), file_bytes(picture, "GIF"),
    ]  # fmt: skip
    assert max(_difference(decode, settings, content) for content in files) <= 1


def test_a_bmp_with_a_palette_is_refused_instead_of_read_wrongly():
    content = file_bytes(_photograph(60, 80).quantize(16), "BMP")
    with pytest.raises(tf.errors.InvalidArgumentError, match="with a palette cannot be read"):
        _decoder(PixelSettings((30, 20)))([content])


@pytest.mark.parametrize("order", [">", "<"])
def test_the_orientation_is_found_in_both_orders_of_bytes_and_never_beyond_the_end(order):
    mark = b"MM" if order == ">" else b"II"
    entries = [(0x010F, 2, 1, 0), (0x0112, 3, 1, 6)]
    tiff = mark + struct.pack(f"{order}HIH", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        tiff += struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)
    segment = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(tiff)) + b"Exif\0\0" + tiff
    comment = b"\xff\xfe" + struct.pack(">H", 7) + b"hello"
    body = file_bytes(four_corners(), "JPEG")[2:]
    whole = b"\xff\xd8" + comment + segment + body
    find = tf.function(exif_orientation, input_signature=[tf.TensorSpec([], tf.string)])
    assert int(find(whole)) == 6
    assert int(find(b"\xff\xd8" + body)) == 1
    assert int(find(file_bytes(four_corners()))) == 1
    for end in range(3, len(comment) + len(segment) + 2):
        assert int(find(whole[:end])) in (1, 6)


def test_odd_values_of_the_tag_are_upright():
    find = tf.function(exif_orientation, input_signature=[tf.TensorSpec([], tf.string)])
    assert [int(find(_turned(four_corners(), value))) for value in (0, 9, 65535)] == [1, 1, 1]
