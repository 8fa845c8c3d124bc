"""Images are turned upright and resized as Pillow does it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from decoded import settings
from images import file_bytes, four_corners, noise
from PIL import Image, ImageOps

from cnnkit.data.pixels import read_pixels

TURN_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,  # stored turned against what the viewer will do
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def test_stretch_equals_plain_pillow(tmp_path):
    path = tmp_path / "noise.png"
    noise(57, 31).save(path)
    expected = np.asarray(noise(57, 31).resize((40, 24), Image.Resampling.BILINEAR))
    assert np.array_equal(read_pixels(path, settings()), expected)


@pytest.mark.parametrize("size", [(100, 31), (31, 100), (20, 12), (40, 24)])
def test_crop_equals_pillow_fit(size):
    expected = np.asarray(ImageOps.fit(noise(*size), (40, 24), Image.Resampling.BILINEAR))
    found = read_pixels(file_bytes(noise(*size)), settings(resize="crop"))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("size", [(100, 31), (31, 100), (20, 12), (40, 24)])
def test_pad_equals_pillow_pad(size):
    expected = ImageOps.pad(noise(*size), (40, 24), Image.Resampling.BILINEAR, color=(9, 9, 9))
    found = read_pixels(file_bytes(noise(*size)), settings(resize="pad", background=9))
    assert np.array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("policy", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1)])
def test_extreme_shapes_come_out_at_the_wanted_size(policy, size):
    found = read_pixels(file_bytes(Image.new("RGB", size, (0, 0, 0))), settings(resize=policy))
    assert found.shape == (24, 40, 3)
    assert found.min() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("size", [(40, 24), (24, 40)])
def test_every_exif_orientation_gives_the_upright_picture(orientation, kind, size):
    upright = four_corners(40, 24)
    stored = upright.transpose(TURN_BACK[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_bytes(stored, kind, exif=exif, **options)
    wanted = settings(size[1], size[0])
    assert np.array_equal(read_pixels(data, wanted), read_pixels(file_bytes(upright), wanted))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_large_turned_jpegs_give_the_upright_picture(orientation):
    upright = four_corners(640, 384)
    stored = upright.transpose(TURN_BACK[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_pixels(file_bytes(stored, "JPEG", exif=exif, quality=95), settings())
    difference = np.abs(found.astype(int) - read_pixels(file_bytes(upright), settings()))
    assert difference.mean() < 2


def test_a_large_jpeg_is_decoded_at_twice_the_target_or_more():
    picture = noise(1600, 960).resize((800, 480)).resize((1600, 960))
    data = file_bytes(picture, "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as image:
        expected = image.convert("RGB").resize((40, 24), Image.Resampling.BILINEAR)
    difference = np.abs(read_pixels(data, settings()).astype(int) - np.asarray(expected))
    assert difference.max() <= 12
    assert difference.mean() < 1.5
