"""Read predictions.csv, of an evaluation or of another tool, block by block."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import DataError, damage_as_value_error
from cnnkit.evaluation.predictions import Predictions, fault_of_rows
from cnnkit.evaluation.predictions_file import CLASSES_FILE, PROBABILITIES_FILE, is_reserved
from cnnkit.files import WITHOUT_MARK, open_regular, text_encoding
from cnnkit.metrics.blocks import BLOCK_CELLS
from cnnkit.text import count_of, first_few, shown

_CELL = r'(?:"(?:[^"]|"")*"|[^",]*),'
_MOST_LINES = 100  # of a row; a mark that is not closed would make one row of all that follows
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
            return _read(table, _whole_rows(text), num_lines)
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{shown(str(table))} cannot be read: {reason}.", path=str(table)
        ) from error
    except _WrongFileError as error:
        raise DataError(f"{shown(str(table))} {error}", path=str(table)) from None


def _num_lines(file: BinaryIO) -> int:
    """Return at least the number of rows, and go back to the beginning of the file."""
    head = file.read(200)
    if (encoding := text_encoding(head)) != "utf-8-sig":
        raise _WrongFileError(f"is {encoding.upper()} text. Save it as UTF-8.")
    blocks = iter(lambda: file.read(2**20), b"")
    num_lines = head.count(b"\n") + sum(block.count(b"\n") for block in blocks)
    file.seek(0)
    return num_lines + 1


class _WrongFileError(Exception):
    """What is wrong with the file; the text continues its name."""


class _Row(NamedTuple):
    """A row and the number of the line in which it begins."""

    line: int
    text: str


class _Columns(NamedTuple):
    """What the header says: names and places of the texts, and of the classes."""

    texts: dict[str, int]
    class_names: tuple[str, ...]
    class_places: list[int]
    num_columns: int

    @property
    def num_first(self) -> int:
        """The number of columns up to the last text, if those of the classes follow it; or 0."""
        first = max(self.texts.values()) + 1
        return first if self.class_places[:1] == [first] else 0


def _whole_rows(lines: Iterable[str]) -> Iterator[_Row]:
    """Yield the rows that are not empty; a row may have line breaks inside quotes."""
    begin, text = 1, ""
    for number, line in enumerate(lines, start=1):
        text += line
        if text.count('"') % 2 == 0:
            if stripped := text.rstrip("\r\n"):
                yield _Row(begin, stripped)
            begin, text = number + 1, ""
        elif number - begin == _MOST_LINES:
            break
    if text:
        raise _WrongFileError(f"has a quotation mark that is not closed, in line {begin}.")


def _read(table: Path, rows: Iterator[_Row], most_rows: int) -> Predictions:
    columns = _columns_of(next(rows, _Row(1, "")).text)
    stored = None if columns.class_names else _stored_probabilities(table)
    names, probabilities = stored or (
        columns.class_names,
        # Its pages take memory when rows are written to them.
        np.empty((most_rows, len(columns.class_names)), np.float32),
    )
    texts: dict[str, list[str]] = {name: [] for name in columns.texts}
    lines: list[int] = []
    step = max(1, BLOCK_CELLS // columns.num_columns)
    split = _splitter(columns)
    while block := list(itertools.islice(rows, step)):
        numbers = []
        for row in block:
            cells, rest = split(row)
            for name, place in columns.texts.items():
                texts[name].append(cells[place])
            numbers.append(rest)
        if stored is None:
            end = len(lines) + len(block)
            probabilities[len(lines) : end] = _floats(block, numbers, columns)
        lines += [row.line for row in block]
    if not lines:
        raise _WrongFileError("has no row below its header.")
    if stored is not None and len(probabilities) != len(lines):
        raise _WrongFileError(
            f"has {count_of(len(lines), 'row')}, but {PROBABILITIES_FILE} next to it has "
            f"{len(probabilities):,}. They are not of the same evaluation."
        )
    found = _predictions(names, texts, probabilities[: len(lines)], lines)
    if "prediction" in texts:
        _check_answers(found, texts["prediction"], lines)
    return found


def _columns_of(header: str) -> _Columns:
    names = next(csv.reader([header]), [])
    came = first_few(names, 8) or "nothing"
    if missing := [name for name in ("path", "label") if name not in names]:
        raise _WrongFileError(
            f"lacks the column {' and the column '.join(missing)}: its first line has {came}. "
            "Expected path,label and a column p_<class> for each class, separated by commas."
        )
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise _WrongFileError(
            f"has the column {first_few(twice)} more than once. Keep one of them."
        )
    places = [place for place, name in enumerate(names) if name.startswith("p_")]
    texts = {name: place for place, name in enumerate(names) if not name.startswith("p_")}
    classes = tuple(names[place].removeprefix("p_") for place in places)
    return _Columns(texts, classes, places, len(names))


def _splitter(columns: _Columns) -> Callable[[_Row], tuple[list[str], str]]:
    """Return a function that splits a row into its first cells and the text of its numbers.

    A thousand numbers are not split into a thousand texts if they are the last cells of the row.
    """
    first = columns.num_first
    first_cells = re.compile(_CELL * first)

    def split(row: _Row) -> tuple[list[str], str]:
        if first and '"' not in row.text:
            *cells, rest = row.text.split(",", first)
        elif first and (match := first_cells.match(row.text)):
            cells, rest = next(csv.reader([match[0]]))[:first], row.text[match.end() :]
        else:
            cells = next(csv.reader(io.StringIO(row.text, newline="")))
            rest = ",".join(cells[place] for place in columns.class_places if place < len(cells))
            if len(cells) != columns.num_columns:
                raise _wrong_length(row, columns)
        if len(cells) < first:
            raise _wrong_length(row, columns)
        return cells, rest

    return split


def _wrong_length(row: _Row, columns: _Columns) -> _WrongFileError:
    num_cells = len(next(csv.reader(io.StringIO(row.text, newline=""))))
    return _WrongFileError(
        f"has {count_of(num_cells, 'cell')} in line {row.line}, but {columns.num_columns:,} in its "
        "header."
    )


def _floats(block: Sequence[_Row], numbers: Sequence[str], columns: _Columns) -> NDArray:
    """Return the probabilities (num_rows, num_classes) of the rows of a block."""
    try:
        values = np.loadtxt(
            numbers, np.float32, delimiter=",", comments=None, quotechar='"', ndmin=2
        )
    except ValueError:
        values = None
    if values is None or values.shape != (len(block), len(columns.class_names)):
        raise _wrong_numbers(block, numbers, columns)
    if fault := fault_of_rows(values):
        row, reason = fault
        raise _WrongFileError(f"has wrong probabilities in line {block[row].line}: it {reason}")
    return values


def _wrong_numbers(
    block: Sequence[_Row], numbers: Sequence[str], columns: _Columns
) -> _WrongFileError:
    """Return what is wrong with the first row of a block that cannot be read."""
    for row, text in zip(block, numbers, strict=True):
        cells = next(csv.reader([text]), [""])
        if len(cells) != len(columns.class_names):
            return _wrong_length(row, columns)
        for name, cell in zip(columns.class_names, cells, strict=True):
            try:
                float(cell)
            except ValueError:
                return _WrongFileError(
                    f"has {shown(cell) or 'nothing'} as p_{shown(name)} in line {row.line}. "
                    "Expected a number from 0 to 1."
                )
    return _WrongFileError(f"cannot be read after line {block[0].line}.")


def _stored_probabilities(table: Path) -> tuple[tuple[str, ...], NDArray]:
    """Return the class names and the probabilities of the files next to a CSV without them."""
    arrays, classes = table.parent / PROBABILITIES_FILE, table.parent / CLASSES_FILE
    if absent := [file.name for file in (arrays, classes) if not file.exists()]:
        raise _WrongFileError(
            "has no column p_<class> with the probabilities of a class, and there is no "
            f"{' and no '.join(absent)} next to it. Add the columns, or restore the files."
        )
    try:
        names = tuple(classes.read_text(**WITHOUT_MARK).removesuffix("\n").split("\n"))
        with damage_as_value_error():
            # Mapped: what is read of it takes no memory that others cannot have.
            probabilities = np.load(arrays, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _WrongFileError(
            f"cannot be used: {arrays.name} next to it is damaged ({error})."
        ) from error
    if probabilities.ndim != 2 or probabilities.shape[1] != len(set(names)) or "" in names:
        raise _WrongFileError(
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
        raise _WrongFileError(
            f"has the label {shown(texts['label'][row]) or 'nothing'} in line {lines[row]}, but no "
            f"such class. Classes: {first_few(names, 8)}."
        ) from None
    columns = {name: values for name, values in texts.items() if not is_reserved(name)}
    try:
        return Predictions(names, texts["path"], labels, probabilities, columns)
    except ValueError as error:
        raise _WrongFileError(f"cannot be used. {error}") from error


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
            raise _WrongFileError(
                f"has the prediction {shown(name) or 'nothing'} in line {lines[row]}, but the most "
                f"probable class is {shown(best)}. Correct it, or remove the column prediction: "
                "the probabilities decide."
            )
