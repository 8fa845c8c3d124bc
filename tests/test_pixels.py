"""One image file becomes an array: colours, broken and awkward files."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from decoded import settings
from images import data_config, file_bytes, four_corners, noise
from PIL import Image

from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError

# Pillow decodes these two only when asked a second time, after an error: see INDEX.tsv, which
# read the EXIF first. Half a picture without a word is worse than an error.
ONLY_AT_SECOND_TRY = {"apng_chunk_no_fctl.png", "broken_data_stream.png"}
# Only their metadata are damaged or large, which Pillow refuses.
ONLY_METADATA = {"png_decompression_dos.png", "unknown_compression_method.png"}


def one_pixel(image, *, kind="PNG", options=None, **changes):
    data = file_bytes(image, kind, **(options or {}))
    return read_pixels(data, settings(1, 1, **changes))[0, 0].tolist()


def test_settings_come_from_the_config_and_survive_json():
    config = data_config("x", image_size=(3, 5), color_mode="grayscale", resize="pad", background=7)
    found = PixelSettings.of(config)
    assert found == PixelSettings((3, 5), "grayscale", "pad", 7)
    assert found.shape == (3, 5, 1)
    assert PixelSettings.from_dict(found.to_dict()) == found
    assert settings().shape == (24, 40, 3)


def test_unreadable_exif_turns_nothing():
    data = file_bytes(four_corners(), "PNG", exif=b"Exif\x00\x00MM\x00*garbage that is no EXIF")
    assert np.array_equal(read_pixels(data, settings()), np.asarray(four_corners()))


@pytest.mark.parametrize(
    ("mode", "color", "kind", "expected"),
    [
        ("RGB", (10, 20, 30), "PNG", [10, 20, 30]),
        ("L", 77, "PNG", [77, 77, 77]),
        ("1", 1, "PNG", [255, 255, 255]),
        ("1", 0, "BMP", [0, 0, 0]),
        ("LA", (100, 255), "PNG", [100, 100, 100]),
        ("LA", (100, 0), "PNG", [200, 200, 200]),
        ("RGBA", (10, 20, 30, 0), "PNG", [200, 200, 200]),
        ("RGBA", (10, 20, 30, 255), "WEBP", [10, 20, 30]),
        ("RGBA", (0, 100, 200, 51), "PNG", [160, 180, 200]),  # 0.2 * colour + 0.8 * 200
        ("CMYK", (0, 0, 0, 0), "TIFF", [255, 255, 255]),
        ("CMYK", (255, 0, 0, 0), "TIFF", [0, 255, 255]),
        ("RGBX", (10, 20, 30, 0), "TIFF", [10, 20, 30]),
        ("LAB", (255, 128, 128), "TIFF", [255, 255, 255]),
    ],
)
def test_every_mode_becomes_rgb(mode, color, kind, expected):
    options = {"lossless": True} if kind == "WEBP" else {}
    found = one_pixel(Image.new(mode, (1, 1), color), kind=kind, options=options, background=200)
    assert found == pytest.approx(expected, abs=1)


def test_premultiplied_alpha_is_undone():
    # half covered: 60 of at most 128 red is 120 in full; 0.5 * 120 + 0.5 * 200 = 160
    picture = Image.new("RGBA", (1, 1), (60, 0, 0, 128))
    data = file_bytes(picture, "TIFF")
    straight, premultiplied = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    assert data.count(straight) == 1  # the ExtraSamples tag
    found = read_pixels(data.replace(straight, premultiplied), settings(1, 1, background=200))
    assert found[0, 0].tolist() == pytest.approx([160, 100, 100], abs=2)


def test_a_ycbcr_tiff_becomes_rgb():
    picture = Image.new("YCbCr", (4, 4), (128, 128, 128))
    assert one_pixel(picture, kind="TIFF") == pytest.approx([128, 128, 128], abs=1)


def test_a_palette_picture_gets_its_colours():
    picture = Image.new("P", (2, 2), 1)
    picture.putpalette([1, 2, 3, 40, 50, 60])
    assert one_pixel(picture) == [40, 50, 60]
    assert one_pixel(picture, kind="GIF") == [40, 50, 60]


def test_a_transparent_palette_colour_shows_the_background():
    picture = Image.new("P", (2, 2), 1)
    picture.putpalette([1, 2, 3, 40, 50, 60])
    assert one_pixel(picture, options={"transparency": 1}, background=99) == [99, 99, 99]
    assert one_pixel(picture, kind="GIF", options={"transparency": 1}, background=99) == [99] * 3


def test_a_transparent_colour_without_alpha_shows_the_background():
    rgb = Image.new("RGB", (2, 2), (7, 8, 9))
    assert one_pixel(rgb, options={"transparency": (7, 8, 9)}, background=99) == [99, 99, 99]
    assert (
        one_pixel(Image.new("L", (2, 2), 7), options={"transparency": 7}, background=99) == [99] * 3
    )


def test_the_background_is_white_by_default():
    assert one_pixel(Image.new("RGBA", (1, 1), (0, 0, 0, 0))) == [255, 255, 255]


def test_grayscale_is_pillows_luma():
    # 0.299 * 255 = 76.2, 0.587 * 255 = 149.7, 0.114 * 255 = 29.1
    for color, expected in (((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29)):
        assert one_pixel(Image.new("RGB", (1, 1), color), color_mode="grayscale") == [expected]
    assert one_pixel(Image.new("RGBA", (1, 1), (0, 0, 0, 0)), color_mode="grayscale") == [255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind):
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    found = read_pixels(file_bytes(Image.fromarray(values), kind), settings(1, 6))
    assert found[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]
    assert np.array_equal(found[..., 0], found[..., 2])


def test_a_transparent_sixteen_bit_level_shows_the_background():
    values = np.array([[257, 514]], np.uint16)
    data = file_bytes(Image.fromarray(values), transparency=257)
    assert read_pixels(data, settings(1, 2, background=200))[0, :, 0].tolist() == [200, 2]


def test_thirty_two_bits_within_sixteen_are_scaled():
    picture = Image.fromarray(np.array([[0, 65535]], np.int32))
    found = read_pixels(file_bytes(picture, "TIFF"), settings(1, 2))
    assert found[0, :, 0].tolist() == [0, 255]


def test_wider_numbers_are_refused_with_their_range():
    picture = Image.fromarray(np.array([[-5, 70000]], np.int32))
    with pytest.raises(ImageError, match="numbers from -5 to 70000.*convert it"):
        read_pixels(file_bytes(picture, "TIFF"), settings())
    with pytest.raises(ImageError, match="decimal numbers .mode F.*convert it"):
        read_pixels(file_bytes(Image.new("F", (2, 2), 0.5), "TIFF"), settings())


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 4), color) for color in ((255, 0, 0), (0, 255, 0))]
    data = file_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_pixels(data, settings(1, 1))[0, 0].tolist() == [255, 0, 0]


def test_a_file_and_its_bytes_give_the_same(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(file_bytes(noise()))
    assert np.array_equal(read_pixels(path, settings()), read_pixels(path.read_bytes(), settings()))


def test_a_file_that_is_not_an_image_is_named(tmp_path):
    cases = {
        b"": "the file is empty",
        b"Hello,\nworld and more": 'not an image but text that begins with "Hello, world and more"',
        b"\x00\x01\x02\x03": "begins with the bytes 00 01 02 03",
        b"\x89PNG\r\n\x1a\nrubbish": "begins like a PNG file, but its header is broken",
    }
    for data, message in cases.items():
        path = tmp_path / "picture.jpg"
        path.write_bytes(data)
        with pytest.raises(ImageError) as caught:
            read_pixels(path, settings())
        assert message in str(caught.value)


def test_missing_files_and_folders_are_image_errors(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_pixels(tmp_path / "none.jpg", settings())
    with pytest.raises(ImageError, match="folder"):
        read_pixels(tmp_path, settings())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "GIF"])
def test_a_file_that_was_cut_off_is_refused(kind):
    data = file_bytes(noise(200, 200), kind)
    with pytest.raises(ImageError):
        read_pixels(data[: len(data) // 2], settings())


def test_large_pictures_are_silent_and_bombs_are_errors(monkeypatch):
    data = file_bytes(Image.new("L", (300, 300)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_pixels(data, settings()).shape == (24, 40, 3)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
        with pytest.raises(
            ImageError, match="too large: its header claims more than 20,000 pixels"
        ):
            read_pixels(data, settings())


def test_broken_copies_of_a_picture_only_ever_raise_image_errors():
    random = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        good = np.frombuffer(file_bytes(noise(64, 64), kind), np.uint8)
        for _ in range(60):
            broken = good.copy()
            places = random.integers(0, min(len(good), 2000), 8)
            broken[places] = random.integers(0, 256, 8)
            try:
                assert read_pixels(broken.tobytes(), settings()).shape == (24, 40, 3)
            except ImageError as error:
                assert str(error)


def test_awkward_real_files_decode_or_say_why(shared_data):
    folder = shared_data / "messy"
    with open(folder / "INDEX.tsv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert len(rows) > 50
    failed, expected = set(), set(ONLY_AT_SECOND_TRY)
    for row in rows:
        if row["pil_load"] != "ok":
            expected.add(row["file"])
        try:
            assert read_pixels(folder / row["file"], settings()).shape == (24, 40, 3)
        except ImageError as error:
            failed.add(row["file"])
            assert "\n" not in str(error)
    assert failed == expected - ONLY_METADATA


def test_real_photos_of_every_orientation_agree(shared_data):
    folder = shared_data / "messy"
    wanted = settings(64, 96)
    upright = read_pixels(folder / "exif_Landscape_1.jpg", wanted).astype(int)
    for turned in ("exif_Landscape_6.jpg", "exif_Landscape_8.jpg"):
        assert np.abs(read_pixels(folder / turned, wanted) - upright).mean() < 6


def test_reading_pixels_imports_nothing_heavy():
    code = (
        "import sys, cnnkit.data.pixels; "
        "print([m for m in ('tensorflow', 'keras', 'sklearn', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_damaged_tiff_is_reported_in_our_words_alone(capfd):
    data = bytearray(file_bytes(noise(16, 16), "TIFF", compression="tiff_lzw"))
    data[10:200] = b"\xff\x00\xaa\x55\x10" * 38
    with pytest.raises(ImageError, match="it cannot be decoded"):
        read_pixels(bytes(data), settings(16, 16))
    assert capfd.readouterr().err == ""  # libtiff writes to the descriptor, not to sys.stderr
