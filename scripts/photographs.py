"""Write two class folders of JPEGs of about the same size, cut out of photographs or drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from cnnkit.data.sources.builtin import draw_shape
from cnnkit.data.sources.folder_walk import image_files
from cnnkit.data.sources.ignored import Ignored

SMALL = (500, 375)  # width, height
TWELVE_MEGAPIXELS = (4000, 3000)
_QUALITY = 87


def write_two_classes(
    folder: Path, number: int, photos: Path | None, size: tuple[int, int] = SMALL
) -> None:
    """Write `number` images, half of them in first/, half in second/, the same on each call.

    Args:
        folder: where to write; it is created.
        number: how many images.
        photos: folder of photographs; the first, third, ... are for the first class, the others for
            the second. If None, shapes are drawn instead.
        size: width and height of an image in pixels; each image differs from it by up to 15 %.
    """
    originals = _originals(photos) if photos else []
    for index in range(number):
        label = index % 2
        path = folder / ("first", "second")[label] / f"{index:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng([0, index])
        if originals:
            image = _cut_out(originals[label::2], size, random)
        else:
            image = Image.fromarray(draw_shape(index, image_size=SMALL[0], seed=0))
            image = image.crop((0, 0, *SMALL)).resize(size)
        image.save(path, quality=_QUALITY)


def _originals(photos: Path) -> list[Image.Image]:
    files = image_files(str(photos), Ignored())
    if len(files) < 2:
        sys.exit(f"{photos} has {len(files)} photographs; give a folder with at least 2.")
    return [Image.open(file).convert("RGB") for file in files]


def _cut_out(
    originals: list[Image.Image], size: tuple[int, int], random: np.random.Generator
) -> Image.Image:
    """Return a part of a photograph, half to all of its height, scaled to about the size."""
    original = originals[random.integers(len(originals))]
    width, height = (round(side * random.uniform(0.85, 1.15)) for side in size)
    scale = random.uniform(0.5, 1) * min(original.width / width, original.height / height)
    box_width, box_height = width * scale, height * scale
    left = random.uniform(0, original.width - box_width)
    top = random.uniform(0, original.height - box_height)
    box = (left, top, left + box_width, top + box_height)
    return original.resize((width, height), Image.Resampling.BICUBIC, box=box)
