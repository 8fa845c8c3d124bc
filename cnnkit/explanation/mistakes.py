"""Find the images that a run got wrong with the most confidence, from its evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cnnkit.data.file_bytes import ImageFile
from cnnkit.errors import DataError
from cnnkit.evaluation.images_of_table import images_of_table
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.evaluation.run_predictions import run_predictions
from cnnkit.runs import Run
from cnnkit.text import first_few


class Mistake(NamedTuple):
    """An image with a wrong answer.

    Args:
        path: as predictions.csv has it.
        file: the image.
        label: its true class.
    """

    path: str
    file: ImageFile
    label: str


@dataclass(frozen=True)
class MistakesToExplain:
    """Which wrong answers of a run are explained: the most confident ones.

    Args:
        evaluation: the name of the folder in `evaluation/` with the answers.
        number: at most this many.
    """

    evaluation: str
    number: int


def confident_mistakes(run: Run, number: int, evaluation: str = "test") -> list[Mistake]:
    """Return wrong answers of an evaluation of a run, the most confident first.

    Args:
        run: it must have been evaluated.
        number: at most this many.
        evaluation: the name of its folder in `evaluation/`: a split, or that of other data.

    Raises:
        UsageError: the run has no such evaluation.
        DataError: predictions.csv cannot be read, or its images are not there.
    """
    table = run_predictions(run, evaluation)
    predictions = read_predictions(table)
    wrong = np.flatnonzero(~predictions.is_correct)
    chosen = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:number]
    find = images_of_table(table)
    found = [(predictions.paths[each], find(predictions.paths[each])) for each in chosen]
    if missing := [path for path, file in found if file is None]:
        raise DataError(
            f"The images of {table} are not there: {first_few(missing)}. Put them back, or name "
            "the images to explain."
        )
    labels = [predictions.class_names[predictions.labels[each]] for each in chosen]
    return [Mistake(*each, label) for each, label in zip(found, labels, strict=True)]
