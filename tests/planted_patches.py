"""Images in which a coloured patch at a random place, and nothing else, decides the class."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE, PATCH = 32, 8
_CONFIG = """
data:
  source: images
  image_size: 32
  split: {validation: 0.1, test: 0.2}
  batch_size: 16
model:
  output: OUTPUT
  layers:
    - conv: {filters: 8, kernel_size: 3, padding: same, activation: relu}
    - pool: {type: max}
    - conv: {filters: 8, kernel_size: 3, padding: same, activation: relu}
    - global_pool
training:
  epochs: 25
  optimizer: {adam: {learning_rate: 0.02}}
"""


def patched_image(random, channel):
    """Return (image, rows of the patch, columns of the patch)."""
    pixels = random.integers(60, 140, (SIDE, SIDE, 3), dtype=np.uint8)
    top, left = random.integers(0, SIDE - PATCH + 1, 2)
    place = slice(top, top + PATCH), slice(left, left + PATCH)
    pixels[place] = 20
    pixels[(*place, channel)] = 250
    return pixels, *place


def train_on_patches(folder, output="softmax"):
    import cnnkit

    random = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (folder / "images" / name).mkdir(parents=True)
        for index in range(50):
            pixels, *_ = patched_image(random, channel)
            Image.fromarray(pixels).save(folder / "images" / name / f"{index}.png")
    (folder / "patches.yaml").write_text(_CONFIG.replace("OUTPUT", output))
    return cnnkit.train(folder / "patches.yaml", runs_folder=folder / "runs")
