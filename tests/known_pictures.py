"""A small file of every format and kind of pixels that Pillow writes, or only reads."""

from __future__ import annotations

import functools
import warnings

import numpy as np
from images import file_bytes
from PIL import Image
from rare_pictures import RARE
from tiffs import tiff

WIDTH, HEIGHT = 29, 21
_MODES = {
    "BLP": ("P",),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "DIB": ("1", "P", "RGB"),
    "DDS": ("L", "LA", "RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB"),
    "ICNS": ("RGBA",),
    "ICO": ("RGB", "RGBA"),
    "IM": ("1", "L", "LA", "P", "I", "I;16", "F", "RGB", "RGBA", "CMYK", "YCbCr"),
    "JPEG": ("L", "RGB", "CMYK"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "I;16"),
    "MPO": ("RGB",),
    "MSP": ("1",),
    "PCX": ("1", "L", "P", "RGB"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "PPM": ("1", "L", "I;16", "RGB", "F", "RGBA"),
    "QOI": ("RGB", "RGBA"),
    "SGI": ("L", "RGB", "RGBA"),
    "SPIDER": ("F",),
    "TGA": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "I;16", "I", "F", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "XBM": ("1",),
}
_OPTIONS = {
    ("BMP", "P"): ({"bits": 4},),
    ("DDS", "RGBA"): ({"pixel_format": "DXT1"}, {"pixel_format": "DXT5"}),
    ("GIF", "P"): ({"interlace": 0, "transparency": 3}, {"save_all": True}),
    ("ICO", "RGBA"): ({"bitmap_format": "bmp"},),
    ("JPEG", "RGB"): (
        {"progressive": True},
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"},
        {"restart_marker_rows": 1, "comment": b"x"},
    ),
    ("JPEG2000", "RGB"): ({"no_jp2": True}, {"tile_size": (8, 8), "irreversible": True}),
    ("MPO", "RGB"): ({"save_all": True},),
    ("PNG", "RGB"): ({"save_all": True}, {"icc_profile": bytes(300)}, {"dpi": (72, 72)}),
    ("PNG", "P"): ({"bits": 4, "transparency": b"\0\x80\xff"},),
    ("TGA", "RGB"): ({"compression": "tga_rle"},),
    ("TIFF", "L"): ({"compression": "tiff_lzw"}, {"tiffinfo": {262: 0}}, {"big_tiff": True}),
    ("TIFF", "1"): ({"compression": "group3"}, {"compression": "group4"}),
    ("TIFF", "RGB"): (
        {"compression": "jpeg"}, {"compression": "tiff_deflate"}, {"compression": "packbits"},
        {"compression": "zstd"}, {"save_all": True}, {"tiffinfo": {274: 6}},
    ),
    ("WEBP", "RGB"): ({"lossless": True}, {"save_all": True}),
    ("AVIF", "RGB"): ({"save_all": True},),
}  # fmt: skip


@functools.cache
def known_pictures():
    """Return {name: content}; the name begins with the format, and ends as such files do."""
    Image.init()
    made = {}
    for kind, modes in _MODES.items():
        ending = next((end for end, other in Image.EXTENSION.items() if other == kind), "")
        for mode in modes:
            for number, options in enumerate(({}, *_OPTIONS.get((kind, mode), ()))):
                name = f"{kind}-{mode.replace(';', '')}-{number}{ending}"
                made[name] = _saved(kind, mode, options)
    return made | {name: make() for name, make in RARE.items()} | _other_tiffs()


def _saved(kind, mode, options):
    if options.get("save_all"):
        options = {**options, "append_images": [picture(mode, seed=1), picture(mode, seed=2)]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return file_bytes(picture(mode), kind, **options)


def picture(mode="RGB", *, seed=0):
    """Return a picture of soft colours with a little noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    waves = [rows * 9 + seed, columns * 7, (rows + columns) * 5]
    pixels = np.stack(waves, axis=2) + random.integers(0, 12, (HEIGHT, WIDTH, 3))
    colours = Image.fromarray((pixels % 256).astype(np.uint8))
    grey = np.asarray(colours.convert("L"), np.uint16) * 257
    if mode == "I;16":
        return Image.fromarray(grey)
    if mode in ("I", "F"):
        return Image.fromarray(grey.astype(np.int32 if mode == "I" else np.float32))
    if mode == "LAB":
        return Image.merge("LAB", colours.split())
    made = colours.convert(mode)
    if mode in ("LA", "RGBA"):
        made.putalpha(colours.getchannel(1))
    return made


def _other_tiffs():
    """Return TIFF files of kinds that Pillow does not write."""
    grey, colours = np.arange(64).reshape(8, 8) * 64, np.arange(192).reshape(8, 8, 3) * 21
    return {
        "TIFF-12-0.tif": tiff(grey, 12),
        "TIFF-12-1.tif": tiff(grey, 12, order=">", deflate=True),
        "TIFF-12-2.tif": tiff(np.tile(grey, (2, 2)), 12, tile=8),
        "TIFF-5-0.tif": tiff(grey % 32, 5, white_is_zero=True),
        "TIFF-14x3-0.tif": tiff(colours, 14),
        "TIFF-16x3-0.tif": tiff(colours, 16, order=">", deflate=True),
        "TIFF-16-0.tif": tiff(grey, 16, white_is_zero=True),
    }
