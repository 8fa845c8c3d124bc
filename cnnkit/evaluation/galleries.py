"""Show where a model is wrong: three galleries of images, each a picture and a CSV with paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.evaluation.predictions import Predictions
from cnnkit.files import write_csv
from cnnkit.text import count_of

# The image of a path; None if it is not on this computer.
FindImage = Callable[[str], ImageFile | None]

_MOST_DRAWN = 36  # images of a sheet
_MOST_PAIRS, _MOST_OF_PAIR = 8, 6
_MOST_UNCERTAIN = 200  # rows of the CSV
_COLUMNS = ("path", "label", "prediction", "probability", "label_probability")


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images for one question.

    Args:
        name: of its files, without extension.
        sections: (heading, positions of the images), in order; all are in the CSV.
        most_drawn: images per section that are drawn.
    """

    name: str
    sections: Sequence[tuple[str, NDArray]]
    most_drawn: int = _MOST_DRAWN


GALLERY_FILES = tuple(
    f"{name}.{extension}"
    for name in ("most_confused", "confident_errors", "least_certain")
    for extension in ("png", "csv")
)


def find_galleries(predictions: Predictions) -> list[Gallery]:
    """Return the galleries; those of wrong answers have no section if all answers are right.

    - `most_confused`: a section for each of the commonest pairs of true and predicted class.
    - `confident_errors`: all wrong answers, the most confident first.
    - `least_certain`: the images whose most probable class is the least probable.
    """
    wrong = np.flatnonzero(~predictions.is_correct)
    wrong = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")]
    uncertain = np.argsort(predictions.confidence, kind="stable")[:_MOST_UNCERTAIN]
    return [
        Gallery("most_confused", list(_confused(predictions, wrong)), _MOST_OF_PAIR),
        Gallery("confident_errors", [("", wrong)] if len(wrong) else []),
        Gallery("least_certain", [("", uncertain)]),
    ]


def write_gallery(
    gallery: Gallery, predictions: Predictions, folder: Path, find_image: FindImage
) -> None:
    """Write the CSV of a gallery, and its picture if at least one of its images is found.

    A picture of an earlier evaluation is removed if there is none to draw now.
    """
    rows = [_row(predictions, index) for _, images in gallery.sections for index in images]
    write_csv(folder / f"{gallery.name}.csv", _COLUMNS, rows)
    drawn = [(heading, images[: gallery.most_drawn]) for heading, images in gallery.sections]
    picture = folder / f"{gallery.name}.png"
    if any(find_image(predictions.paths[i]) is not None for _, images in drawn for i in images):
        from cnnkit.evaluation.gallery_sheets import draw_gallery  # imports matplotlib

        draw_gallery(drawn, predictions, find_image, picture)
    else:
        picture.unlink(missing_ok=True)


def _confused(predictions: Predictions, wrong: NDArray) -> Iterator[tuple[str, NDArray]]:
    """Yield (heading, images) of the commonest pairs of classes.

    Args:
        predictions: all of them.
        wrong: the positions of wrong answers, the most confident first.
    """
    names, num_classes = predictions.class_names, len(predictions.class_names)
    totals = np.bincount(predictions.labels, minlength=num_classes)
    # One number per pair: a matrix of 1,000 classes would have a million entries.
    pairs = predictions.labels[wrong].astype(np.int64) * num_classes + predictions.predicted[wrong]
    values, counts = np.unique(pairs, return_counts=True)
    for place in np.argsort(-counts, kind="stable")[:_MOST_PAIRS]:
        true, predicted = divmod(int(values[place]), num_classes)
        heading = (
            f"{names[true]} \u2192 {names[predicted]}: {counts[place]:,} of "
            f"{count_of(int(totals[true]), 'image')}"
        )
        yield heading, wrong[pairs == values[place]]


def _row(predictions: Predictions, index: int) -> dict[str, str]:
    label, predicted = predictions.labels[index], predictions.predicted[index]
    probabilities = predictions.probabilities[index]
    return {
        "path": predictions.paths[index],
        "label": predictions.class_names[label],
        "prediction": predictions.class_names[predicted],
        "probability": f"{probabilities[predicted]:.6g}",
        "label_probability": f"{probabilities[label]:.6g}",
    }
