"""Read predictions.csv, of an evaluation or of another tool, block by block."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import DataError, damage_as_value_error
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import CLASSES_FILE, PROBABILITIES_FILE, is_reserved
from cnnkit.evaluation.predictions_rows import (
    Row,
    WrongFileError,
    columns_of,
    floats_of,
    is_utf8,
    splitter,
    whole_rows,
)
from cnnkit.files import WITHOUT_MARK, open_regular, text_encoding
from cnnkit.metrics.blocks import BLOCK_CELLS
from cnnkit.text import count_of, first_few, shown

_ALIKE = 1e-6  # probabilities that differ less may have been rounded to six digits


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Read a predictions.csv of an evaluation, or a file of another tool with its columns.

    The file needs the columns `path` and `label`, and a column `p_<class>` for each class, in the
    order of the labels. Without those, `probabilities.npy` and `classes.txt` are read from the same
    folder, as an evaluation with many classes writes them. Other columns are kept as texts.

    Args:
        path: of the CSV, or of a folder with a predictions.csv.

    Returns:
        The predictions; their probabilities are 32-bit floats.

    Raises:
        DataError: the file cannot be read, a column or a value is missing or wrong, or
            `prediction` is not the most probable class. The text names the line.
    """
    table = Path(path, "predictions.csv") if os.path.isdir(path) else Path(path)
    try:
        with open_regular(str(table)) as file:
            num_lines = _num_lines(file)
            text = io.TextIOWrapper(file, newline="\n", **WITHOUT_MARK)
            return _read(table, whole_rows(text), num_lines)
    except OSError as error:
        raise DataError(
            f"{shown(str(table))} cannot be read: {error.strerror or error}.", path=str(table)
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{shown(str(table))} cannot be read as CSV: {error}.", path=str(table)
        ) from error
    except WrongFileError as error:
        raise DataError(f"{shown(str(table))} {error}", path=str(table)) from None


def _num_lines(file: BinaryIO) -> int:
    """Return at least the number of rows, and go back to the beginning of the file."""
    head = file.read(200)
    if (encoding := text_encoding(head)) != "utf-8-sig":
        raise WrongFileError(f"is {encoding.upper()} text. Save it as UTF-8.")
    if b"\0" in head:
        raise WrongFileError("is not a text file. Give a CSV file.")
    blocks = iter(lambda: file.read(2**20), b"")
    num_lines = head.count(b"\n") + sum(block.count(b"\n") for block in blocks)
    file.seek(0)
    return num_lines + 1


def _read(table: Path, rows: Iterator[Row], most_rows: int) -> Predictions:
    columns = columns_of(next(rows, Row(1, "")).text)
    stored = None if columns.class_names else _stored_probabilities(table)
    names, probabilities = stored or (
        columns.class_names,
        # Its pages take memory when rows are written to them.
        np.empty((most_rows, len(columns.class_names)), np.float32),
    )
    texts: dict[str, list[str]] = {name: [] for name in columns.texts}
    lines: list[int] = []
    step = max(1, BLOCK_CELLS // columns.num_columns)
    split = splitter(columns)
    while block := list(itertools.islice(rows, step)):
        numbers = []
        for row in block:
            cells, rest = split(row)
            for name, place in columns.texts.items():
                texts[name].append(cells[place])
            numbers.append(rest)
        if stored is None:
            end = len(lines) + len(block)
            probabilities[len(lines) : end] = floats_of(block, numbers, columns)
        lines += [row.line for row in block]
    if not lines:
        raise WrongFileError("has no row below its header.")
    if stored is not None and len(probabilities) != len(lines):
        raise WrongFileError(
            f"has {count_of(len(lines), 'row')}, but {PROBABILITIES_FILE} next to it has "
            f"{len(probabilities):,}. They are not of the same evaluation."
        )
    found = _predictions(names, texts, probabilities[: len(lines)], lines)
    if "prediction" in texts:
        _check_answers(found, texts["prediction"], lines)
    return found


def _stored_probabilities(table: Path) -> tuple[tuple[str, ...], NDArray]:
    """Return the class names and the probabilities of the files next to a CSV without them."""
    arrays, classes = table.parent / PROBABILITIES_FILE, table.parent / CLASSES_FILE
    if absent := [file.name for file in (arrays, classes) if not file.exists()]:
        raise WrongFileError(
            "has no column p_<class> with the probabilities of a class, and there is no "
            f"{' and no '.join(absent)} next to it. Add the columns, or restore the files."
        )
    try:
        names = tuple(classes.read_text(**WITHOUT_MARK).removesuffix("\n").split("\n"))
        with damage_as_value_error():
            # Mapped: what is read of it takes no memory that others cannot have.
            probabilities = np.load(arrays, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise WrongFileError(
            f"cannot be used: {arrays.name} next to it is damaged ({error})."
        ) from error
    if probabilities.ndim != 2 or probabilities.shape[1] != len(set(names)) or "" in names:
        raise WrongFileError(
            f"cannot be used: {arrays.name} next to it has the shape {probabilities.shape}, and "
            f"{classes.name} has {count_of(len(set(names)), 'name')}. They are not of the same "
            "evaluation."
        )
    return names, probabilities


def _predictions(
    names: tuple[str, ...],
    texts: dict[str, list[str]],
    probabilities: NDArray,
    lines: Sequence[int],
) -> Predictions:
    label_of = {name: label for label, name in enumerate(names)}
    try:
        labels = np.array([label_of[name] for name in texts["label"]])
    except KeyError:
        row = next(row for row, name in enumerate(texts["label"]) if name not in label_of)
        raise _wrong_label(texts["label"][row], lines[row], names) from None
    columns = {name: values for name, values in texts.items() if not is_reserved(name)}
    try:
        return Predictions(names, texts["path"], labels, probabilities, columns)
    except ValueError as error:
        raise WrongFileError(f"cannot be used. {error}") from error


def _wrong_label(label: str, line: int, names: Sequence[str]) -> WrongFileError:
    if not is_utf8(label):
        return WrongFileError(
            f"is not UTF-8 text: line {line} has the label {shown(label)}. Save it as UTF-8."
        )
    what = f"has the label {shown(label)} in line {line}, but no such class."
    if not label:
        what = f"has no label in line {line}. Expected one of the classes."
    return WrongFileError(f"{what} Classes: {first_few(names, 8)}.")


def _check_answers(found: Predictions, answers: Sequence[str], lines: Sequence[int]) -> None:
    """Refuse a column `prediction` that names another class than the most probable one."""
    label_of = {name: label for label, name in enumerate(found.class_names)}
    named = np.array([label_of.get(name, -1) for name in answers])
    for row in np.flatnonzero(named != found.predicted):
        name = answers[row]
        # Of two classes that are equal after rounding, the file may name either.
        if named[row] < 0 or (
            found.probabilities[row, named[row]] < found.confidence[row] - _ALIKE
        ):
            best = found.class_names[found.predicted[row]]
            what = f"has the prediction {shown(name)}" if name else "has no prediction"
            raise WrongFileError(
                f"{what} in line {lines[row]}, but the most probable class is {shown(best)}. "
                "Correct it, or remove the column prediction: the probabilities decide."
            )
