"""Draw the images of a gallery with what the model says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError
from cnnkit.evaluation.predictions import Predictions
from cnnkit.plots.figures import class_label
from cnnkit.plots.image_sheet import SIDE, CaptionedImage, write_image_sheet

_MOST_LETTERS = 16  # of a class name
_SETTINGS = PixelSettings((SIDE, SIDE), resize="pad", background=230)


def draw_gallery(
    sections: Sequence[tuple[str, NDArray]],
    predictions: Predictions,
    find_image: Callable[[str], ImageFile | None],
    path: Path,
) -> None:
    """Draw images with their two most probable classes, their true class and their name.

    Args:
        sections: (heading, positions of the images).
        predictions: what the model says.
        find_image: gives the image of a path; None if it is not on this computer.
        path: the PNG file.
    """
    drawn = [
        (heading, [_captioned(predictions, index, find_image) for index in images])
        for heading, images in sections
    ]
    write_image_sheet(drawn, path)


def _captioned(
    predictions: Predictions, index: int, find_image: Callable[[str], ImageFile | None]
) -> CaptionedImage:
    path, probabilities = predictions.paths[index], predictions.probabilities[index]

    def name(label: int) -> str:
        return class_label(predictions.class_names[label], _MOST_LETTERS)

    first, second = np.argsort(-probabilities, kind="stable")[:2]
    lines = (
        f"{name(first)} {probabilities[first]:.2f}",
        f"{name(second)} {probabilities[second]:.2f}",
        f"true class {name(predictions.labels[index])}",
        path,
    )
    return CaptionedImage(_pixels(find_image(path)), lines, not predictions.is_correct[index])


def _pixels(file: ImageFile | None) -> NDArray | None:
    if file is None:
        return None
    try:
        return read_pixels(file, _SETTINGS)
    except ImageError:
        return None
