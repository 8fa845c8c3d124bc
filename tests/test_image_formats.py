"""What Pillow may open: safe formats, metadata of any size, formats that are only named."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from images import file_bytes, four_corners, noise
from PIL import Image, PngImagePlugin

from cnnkit.cli import main
from cnnkit.data.decoding import foreign_formats, image_formats
from cnnkit.data.decoding.image_formats import FORMATS, image_extensions, open_image
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.sources.folders import read_folder
from cnnkit.errors import ImageError

SETTINGS = PixelSettings((24, 40))
POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n"
    b"0 0 16 16 rectfill\nshowpage\n%%EOF\n"
)
# 64 x 32 pixels, the left half red (220, 40, 40) and the right half blue (30, 60, 200)
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA"
    "AAAAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAG8AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAA"
    "AAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34"
    "+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5"
    "uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAA"
    "AAAoY2xhcAAAAEAAAAABAAAAIAAAAAEAAAAAAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAA"
    "AAAAAAEAAQWBAgMFhAAAAHdtZGF0AAAAaygBrwngOSMkv//3pT//+G/eQ/dm9cF//ddXff3/A//+83XUV2Vcz6Nd"
    "oCOZ4v5I5YlSOtwbLL4DG78/FmIaRavBfOYiTpRj70aV7JmnFA2JfgFCzf/pc9ImxDanleM2gz9+rRUUykseVH1H"
)


def iptc(content):
    """Return an IPTC file that holds another image."""
    fields = {(3, 60): b"\x01\0", (3, 20): b"\0\x10", (3, 30): b"\0\x10", (3, 120): b"\x05"}
    head = b"".join(
        bytes([0x1C, *key, 0, len(value)]) + value for key, value in sorted(fields.items())
    )
    return head + b"\x1c\x08\x0a" + struct.pack(">H", len(content)) + content


@pytest.mark.parametrize(
    "data",
    [
        POSTSCRIPT,
        b"\x04" + POSTSCRIPT,
        b"\xc5\xd0\xd3\xc6" + bytes(26) + POSTSCRIPT,
        iptc(POSTSCRIPT),
    ],
    ids=["eps", "with ctrl-D", "with preview", "inside IPTC"],
)
def test_postscript_starts_no_program(data, tmp_path, monkeypatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\necho 10.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ImageError):
        read_pixels(data, SETTINGS)
    (tmp_path / "photo.jpg").write_bytes(data)
    assert image_formats.picture_format(str(tmp_path / "photo.jpg")) is None
    assert not (tmp_path / "started").exists()


def test_all_formats_are_known_to_pillow_and_no_other_is_opened():
    Image.init()
    assert set(FORMATS) <= set(Image.OPEN)
    never = {"EPS", "IPTC", "BUFR", "GRIB", "HDF5", "MPEG", "WMF", "HEIF"}
    assert set(Image.OPEN) - set(FORMATS) <= never
    assert {".jpg", ".png", ".heic", ".tif"} <= image_extensions()
    assert not {".eps", ".ps", ".iim", ".wmf", ".mpg"} & image_extensions()


class StrangeError(Exception):
    pass


@pytest.mark.parametrize(
    "error", [StrangeError("odd"), RecursionError(), KeyError(3), AssertionError()]
)
def test_whatever_a_decoder_raises_is_one_broken_file(error, monkeypatch):
    def fail(*_):
        raise error

    data = file_bytes(noise(), "BMP")
    monkeypatch.setattr("PIL.BmpImagePlugin.BmpImageFile.load", fail)
    with pytest.raises(ImageError, match="cannot be decoded"):
        read_pixels(data, SETTINGS)


# --- metadata of any size


def png_with(add, picture=None, **options):
    info = PngImagePlugin.PngInfo()
    add(info)
    return file_bytes(picture or noise(), "PNG", pnginfo=info, **options)


def chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


LARGE_METADATA = {
    "profile": lambda: file_bytes(noise(), "PNG", icc_profile=bytes(1_200_000)),
    "xmp": lambda: png_with(
        lambda info: info.add_itxt("XML:com.adobe.xmp", "x" * 1_100_000, zip=True)
    ),
    "plain xmp": lambda: png_with(
        lambda info: info.add_itxt("XML:com.adobe.xmp", "x" * 70_000_000)
    ),
    "text": lambda: png_with(lambda info: info.add_text("prompt", "x" * 1_100_000, zip=True)),
    "many texts": lambda: png_with(
        lambda info: [info.add_text(f"k{i}", "x" * 900_000, zip=True) for i in range(80)]
    ),
    "text after the pixels": lambda: png_with(
        lambda info: info.add(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_100_000)), after_idat=True)
    ),
    "text with a wrong checksum": lambda: (
        (data := file_bytes(noise()))[:33] + chunk(b"tEXt", b"k\0v")[:-1] + b"!" + data[33:]
    ),
    "jpeg profile": lambda: file_bytes(noise(), "JPEG", icc_profile=bytes(3_000_000)),
    "webp": lambda: file_bytes(
        noise(), "WEBP", lossless=True, icc_profile=bytes(3_000_000), exif=bytes(3_000_000)
    ),
    "tiff": lambda: file_bytes(
        noise(), "TIFF", icc_profile=bytes(3_000_000), tiffinfo={700: bytes(3_000_000)}
    ),
    "gif comment": lambda: file_bytes(noise(), "GIF", comment=bytes(2_000_000)),
}


@pytest.mark.parametrize("case", LARGE_METADATA)
def test_metadata_of_any_size_are_not_pixels(case):
    data = LARGE_METADATA[case]()
    kind = case.partition(" ")[0].upper()
    plain = file_bytes(noise(), kind if kind in ("JPEG", "GIF") else "PNG")
    assert np.array_equal(read_pixels(data, SETTINGS), read_pixels(plain, SETTINGS))


def test_texts_keep_the_orientation_that_they_state():
    xmp = '<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/>'
    data = png_with(lambda info: info.add_itxt("XML:com.adobe.xmp", xmp, zip=True), four_corners())
    upright = four_corners().transpose(Image.Transpose.ROTATE_180)
    assert np.array_equal(read_pixels(data, SETTINGS), np.asarray(upright))


# --- HEIC


def test_heic_is_read_if_its_decoder_is_installed():
    pytest.importorskip("pi_heif")
    found = read_pixels(HEIC, PixelSettings((2, 4)))
    assert np.abs(found[:, 0].astype(int) - (220, 40, 40)).max() < 8
    assert np.abs(found[:, 3].astype(int) - (30, 60, 200)).max() < 8
    with open_image(HEIC) as image:
        assert (image.format, image.size) == ("HEIF", (64, 32))
    with pytest.raises(ImageError):
        read_pixels(HEIC[:300], SETTINGS)


def test_heic_counts_as_an_image_and_says_how_to_read_it(tmp_path, monkeypatch):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "IMG_1.HEIC").write_bytes(HEIC)
    assert [record.path for record in read_folder(tmp_path).records] == [
        "cat/IMG_1.HEIC",
        "dog/IMG_1.HEIC",
    ]
    monkeypatch.setattr(foreign_formats, "can_read_heic", lambda: False)
    with pytest.raises(ImageError, match=r'HEIC picture.*pip install "cnnkit\[heif\]"'):
        read_pixels(str(tmp_path / "cat" / "IMG_1.HEIC"), SETTINGS)


@pytest.mark.parametrize(
    "words",
    [["init", "{}"], ["data", "check", "{}"], ["data", "stats", "{}"], ["train", "a.yaml"]],
)
def test_a_folder_of_heic_pictures_says_how_to_read_them(tmp_path, monkeypatch, words):
    for name in ("cat/1.HEIC", "cat/2.heic", "dog/3.jpg", "dog/4.hif"):
        path = tmp_path / "phone" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(HEIC + name.encode())
    monkeypatch.setattr(foreign_formats, "can_read_heic", lambda: False)
    Path("a.yaml").write_text(
        f"data: {{source: {tmp_path / 'phone'}, image_size: 8}}\nmodel: {{layers: [flatten]}}\n"
    )
    done = CliRunner().invoke(main, [word.format(tmp_path / "phone") for word in words])
    assert 'run `pip install "cnnkit[heif]"` to read it' in done.output
    assert done.exit_code == (0 if words[0] == "data" else 1)
    assert not Path("phone.yaml").exists()


# --- very large pictures


def test_a_jpeg_above_the_limit_is_read_at_a_smaller_size(monkeypatch):
    picture = noise(400, 240).resize((1600, 960))
    jpeg, png = file_bytes(picture, "JPEG", quality=95), file_bytes(picture)
    expected = read_pixels(jpeg, SETTINGS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    assert np.array_equal(read_pixels(jpeg, SETTINGS), expected)
    for data, settings in ((png, SETTINGS), (jpeg, PixelSettings((960, 1600)))):
        with pytest.raises(ImageError, match="more than 200,000 pixels"):
            read_pixels(data, settings)


@pytest.mark.parametrize(("subsampling", "is_read"), [("4:2:0", True), ("4:4:4", False)])
def test_a_large_progressive_jpeg_is_read_if_all_of_it_fits(monkeypatch, subsampling, is_read):
    """Its memory depends on the number of its samples: three or six bytes for each pixel here."""
    picture = noise(400, 240).resize((1600, 960))
    data = file_bytes(picture, "JPEG", quality=95, progressive=True, subsampling=subsampling)
    expected = read_pixels(data, SETTINGS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 614_400)  # 0.4 of its pixels
    if is_read:
        assert np.array_equal(read_pixels(data, SETTINGS), expected)
        return
    with pytest.raises(
        ImageError, match="a progressive JPEG.*; save it as a baseline JPEG"
    ) as error:
        read_pixels(data, SETTINGS)
    assert error.value.kind == "too_large"
