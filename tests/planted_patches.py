"""Images in which the colour of one patch, at a random place, decides the class.

Every image has noise and patches of other colours, at random places too. An image of the class
`without` has only those, so that the other classes are recognised by their patch, and not by the
absence of others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, PATCH = 32, 8
_COLOURS = {"blue": (20, 20, 250), "green": (20, 250, 20), "red": (250, 20, 20)}
_OTHERS = ((250, 250, 20), (20, 250, 250), (250, 20, 250))
CLASSES = (*_COLOURS, "without")
_CONFIG = """
data:
  source: images
  image_size: 32
  split: {validation: 0.1, test: 0.1}
  batch_size: 16
model:
  layers:
    - conv: {filters: 24, kernel_size: 3, padding: same, activation: relu}
    - pool: {type: max}
    - conv: {filters: 24, kernel_size: 3, padding: same, activation: relu}
    - global_pool
training:
  epochs: 15
  optimizer: {adam: {learning_rate: 0.005}}
"""


class Patched(NamedTuple):
    """An image, its class, and the patches as pairs of slices: the one that decides, and others."""

    pixels: NDArray
    label: int
    patch: tuple[slice, slice]
    others: list[tuple[slice, slice]]


def patched_image(random, label):
    """Return an image of a class; that of `without` has one more patch of another colour."""
    pixels = random.integers(60, 140, (SIDE, SIDE, 3), dtype=np.uint8)
    # One place in each quarter, so that patches do not overlap.
    half = SIDE // 2
    corners = [(y, x) for y in (0, half) for x in (0, half)]
    tops = [(y, x) + random.integers(0, half - PATCH + 1, 2) for y, x in corners]
    random.shuffle(tops)
    places = [tuple(slice(start, start + PATCH) for start in top) for top in tops[:3]]
    colours = [_OTHERS[each] for each in random.permutation(len(_OTHERS))]
    if label < len(_COLOURS):
        colours[0] = list(_COLOURS.values())[label]
    for place, colour in zip(places, colours, strict=False):
        pixels[place] = colour
    return Patched(pixels, label, places[0], places[1:])


def without(image, *places):
    """Return the pixels with the patches at these places replaced by noise."""
    pixels = image.pixels.copy()
    random = np.random.default_rng(0)
    for place in places:
        pixels[place] = random.integers(60, 140, (PATCH, PATCH, 3))
    return pixels


def train_on_patches(folder):
    import cnnkit

    random = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / "images" / name).mkdir(parents=True)
        for index in range(125):
            image = Image.fromarray(patched_image(random, label).pixels)
            image.save(folder / "images" / name / f"{index}.png")
    (folder / "patches.yaml").write_text(_CONFIG)
    return cnnkit.train(folder / "patches.yaml", runs_folder=folder / "runs")
