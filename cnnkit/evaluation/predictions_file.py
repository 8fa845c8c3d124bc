"""Write predictions.csv: one row per image, with its label and its probabilities.

With many classes the probabilities are in a file of their own, next to the CSV, and the names of
the classes in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cnnkit.errors import DataError
from cnnkit.evaluation.predictions import Predictions
from cnnkit.files import atomic_write, write_csv, write_text
from cnnkit.metrics import MOST_CLASSES_IN_FULL
from cnnkit.metrics.blocks import row_blocks
from cnnkit.text import first_few

PROBABILITIES_FILE, CLASSES_FILE = "probabilities.npy", "classes.txt"
_TOP = 5  # classes per image, if there is no column for each class
_REQUIRED = ("path", "label")
# Columns with other meanings; those that are left over describe the images.
_ANSWER = re.compile(r"(prediction|probability)(_\d+)?")
# The number of digits with which every 32-bit float can be read back unchanged.
_DIGITS = 9


def write_predictions_file(predictions: Predictions, path: Path) -> None:
    """Write predictions.csv; with more than `MOST_CLASSES_IN_FULL` classes, two files more.

    Args:
        predictions: what is written. Probabilities keep the precision of 32-bit floats.
        path: of the CSV. `probabilities.npy` and `classes.txt` are written next to it.

    Raises:
        DataError: a column of the images has a name that a column of predictions.csv has.
    """
    names = predictions.class_names
    many = len(names) > MOST_CLASSES_IN_FULL
    top = _TOP if many else 1
    answers = [f"{key}{_suffix(r)}" for r in range(top) for key in ("prediction", "probability")]
    classes = [] if many else [f"p_{name}" for name in names]
    header = [*_REQUIRED, *answers, *predictions.columns, *classes]
    if taken := [name for name in predictions.columns if is_reserved(name)]:
        raise DataError(
            f"The column {first_few(taken)} of the data cannot be kept in {path}, because columns "
            "of predictions have such names. Rename it."
        )
    write_csv(path, header, (dict(zip(header, row, strict=True)) for row in _rows(predictions)))
    if many:
        with atomic_write(path.parent / PROBABILITIES_FILE, "wb") as file:
            np.save(file, predictions.probabilities.astype(np.float32, copy=False))
        write_text(path.parent / CLASSES_FILE, "".join(f"{name}\n" for name in names))


def is_reserved(column: str) -> bool:
    """Tell whether predictions.csv gives a meaning to the name of a column.

    >>> is_reserved("p_cat"), is_reserved("prediction_2"), is_reserved("camera")
    (True, True, False)
    """
    return column in _REQUIRED or column.startswith("p_") or bool(_ANSWER.fullmatch(column))


def _suffix(rank: int) -> str:
    return f"_{rank + 1}" if rank else ""


def _rows(predictions: Predictions) -> Iterator[list[str]]:
    names = predictions.class_names
    many = len(names) > MOST_CLASSES_IN_FULL
    for begin, block in row_blocks(predictions.probabilities):
        # The stable sort puts the first of several equal classes first, as argmax does.
        order = np.argsort(-block, axis=1, kind="stable")[:, : _TOP if many else 1]
        for row, best in enumerate(order.tolist()):
            # Numbers of Python are formatted several times as fast as those of NumPy.
            values = [f"{value:.{_DIGITS}g}" for value in block[row, best].tolist()]
            cells = [predictions.paths[begin + row], names[predictions.labels[begin + row]]]
            for label, value in zip(best, values, strict=True):
                cells += [names[label], value]
            cells += [column[begin + row] for column in predictions.columns.values()]
            if not many:
                cells += [f"{value:.{_DIGITS}g}" for value in block[row].tolist()]
            yield cells
