"""Choose training images that show a converter which values the layers of a model give."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from cnnkit.config import load_config
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.scored_images import run_images
from cnnkit.runs import Run

MOST_IMAGES = 200  # TensorFlow recommends 100 to 500


def balanced_images(
    run: Run, settings: PixelSettings, most: int = MOST_IMAGES
) -> tuple[NDArray, int]:
    """Return pixels of training images, and how many classes they are of.

    Each class has the same number of images as far as it has so many; with more classes than
    `most`, some have none. Within a class they are spread over the order of split.csv.

    Args:
        run: whose training images are read.
        settings: how an image becomes pixels.
        most: the largest number of images.

    Raises:
        UsageError: the run has no training images.
        DataError: images are missing, or have changed since the run was trained.
    """
    rows = [row for row in run.read_split() if row["split"] == "train"]
    chosen = balanced([row["label"] for row in rows], most)
    config = load_config(run.config).data
    records = run_images(
        [rows[index] for index in chosen], "train", config, option="--format tflite"
    )
    pixels = np.stack([read_pixels(record.file, settings) for record in records])
    return pixels, len({record.label for record in records})


def balanced(labels: list[str], most: int) -> list[int]:
    """Return at most `most` positions of labels, as many of each class as possible.

    >>> balanced(["a", "a", "a", "a", "b"], 3)
    [0, 4, 2]
    """
    by_class: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        by_class[label].append(index)
    share = -(-most // len(by_class)) if by_class else 0
    spread = [_spread(each, share) for each in by_class.values()]
    in_turn = [each[place] for place in range(most) for each in spread if place < len(each)]
    return in_turn[:most]


def _spread(values: list[int], number: int) -> list[int]:
    """Return at most `number` values at equal distances, the first one included."""
    number = min(number, len(values))
    return [values[place * len(values) // number] for place in range(number)]
