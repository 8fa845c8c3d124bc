"""Image files, and the packs that are made of them."""

from __future__ import annotations

import numpy as np
from images import write_image

from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.pixels import PixelSettings, read_pixels

SETTINGS = PixelSettings((16, 16))
ROW_BYTES = 16 * 16 * 3


def write_files(folder, number, *, first=0):
    return [write_image(folder / f"{i:03}.png", seed=i) for i in range(first, first + number)]


def packs(cache):
    return sorted(cache.glob("[!.]*"))


def pixels_of(files, **options):
    """Open, and return the pixels of all files in their order."""
    store, hashes, reasons = open_pixels(files, SETTINGS, **options)
    assert reasons == {}
    return store.read(store.rows(hashes))


def expected(files):
    return np.stack([read_pixels(file, SETTINGS) for file in files])
