"""Small pictures, files and configs that the data tests share."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cnnkit.config.data_section import DataConfig


def data_config(source, **changes):
    """Return a real data section for small images."""
    return DataConfig(**{"source": str(source), "image_size": (16, 16), **changes})


def four_corners(width=40, height=24):
    """Return a picture whose corners are red, green, blue and white: no turn of it is itself."""
    pixels = np.zeros((height, width, 3), np.uint8)
    half_height, half_width = height // 2, width // 2
    pixels[:half_height, :half_width] = (255, 0, 0)
    pixels[:half_height, half_width:] = (0, 255, 0)
    pixels[half_height:, :half_width] = (0, 0, 255)
    pixels[half_height:, half_width:] = (255, 255, 255)
    return Image.fromarray(pixels)


def noise(width=40, height=24, *, seed=0):
    """Return a picture of noise."""
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def file_bytes(image, kind="PNG", **options):
    """Return the picture as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def write_image(path, *, seed=0, width=16, height=16):
    """Write a picture of noise, different for each seed, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise(width, height, seed=seed).save(path)
    return path


def write_classes(folder, counts, *, seed=0):
    """Write class folders: {"cat": 3, ...} images, all different."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            write_image(folder / name / f"{index:02d}.png", seed=seed)
            seed += 1
    return folder


def write_pictures(folder, sizes, *, classes=("cat", "owl"), each=4, mode="RGB"):
    """Write pictures of noise, with the (height, width) of `sizes` in turn."""
    seed = 0
    for name in classes:
        (folder / name).mkdir(parents=True)
        for index in range(each):
            height, width = sizes[seed % len(sizes)]
            values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
            Image.fromarray(values).convert(mode).save(folder / name / f"{index}.png")
            seed += 1
    return folder
