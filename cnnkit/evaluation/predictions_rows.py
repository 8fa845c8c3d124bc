"""Split the lines of a predictions.csv into texts and numbers, and say which line is wrong."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnkit.evaluation.predictions import fault_of_rows
from cnnkit.text import count_of, first_few, shown

_CELL = r'(?:"(?:[^"]|"")*"|[^",]*),'
_MOST_LINES = 100  # of a row; a mark that is not closed would make one row of all that follows
_EXPECTED = (
    "Expected path,label and a column p_<class> for each class in the first line, separated by "
    "commas."
)


class WrongFileError(Exception):
    """What is wrong with the file; the text continues its name."""


class Row(NamedTuple):
    """A row and the number of the line in which it begins."""

    line: int
    text: str


class Columns(NamedTuple):
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


def whole_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows that are not empty; a row may have line breaks inside quotes."""
    begin, text = 1, ""
    for number, line in enumerate(lines, start=1):
        text += line
        if text.count('"') % 2 == 0:
            if stripped := text.rstrip("\r\n"):
                yield Row(begin, stripped)
            begin, text = number + 1, ""
        elif number - begin == _MOST_LINES:
            break
    if text:
        raise WrongFileError(f"has a quotation mark that is not closed, in line {begin}.")


def columns_of(header: str) -> Columns:
    """Return what the header says.

    Raises:
        WrongFileError: a column is missing, there twice, or not UTF-8.
    """
    if not header:
        raise WrongFileError(f"is empty. {_EXPECTED}")
    if not is_utf8(header):
        raise WrongFileError("is not UTF-8 text: its first line has other bytes. Save it as UTF-8.")
    if "\r" in header.replace('"', ""):
        raise WrongFileError(
            "has lines that end with a carriage return alone. Save it with the line ends of Unix "
            "or Windows."
        )
    names = next(csv.reader([header]), [])
    if missing := [name for name in ("path", "label") if name not in names]:
        raise WrongFileError(
            f"lacks the column {' and the column '.join(missing)}: its first line has "
            f"{first_few(names, 8)}. {_EXPECTED}"
        )
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise WrongFileError(f"has the column {first_few(twice)} more than once. Keep one of them.")
    places = [place for place, name in enumerate(names) if name.startswith("p_")]
    texts = {name: place for place, name in enumerate(names) if not name.startswith("p_")}
    classes = tuple(names[place].removeprefix("p_") for place in places)
    return Columns(texts, classes, places, len(names))


def is_utf8(text: str) -> bool:
    """Tell whether a text was UTF-8 in its file; other bytes were read as surrogates."""
    return not any("\udc80" <= letter <= "\udcff" for letter in text)


def splitter(columns: Columns) -> Callable[[Row], tuple[list[str], str]]:
    """Return a function that splits a row into its first cells and the text of its numbers.

    A thousand numbers are not split into a thousand texts if they are the last cells of the row.
    """
    first = columns.num_first
    first_cells = re.compile(_CELL * first)

    def split(row: Row) -> tuple[list[str], str]:
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


def _wrong_length(row: Row, columns: Columns) -> WrongFileError:
    num_cells = len(next(csv.reader(io.StringIO(row.text, newline=""))))
    return WrongFileError(
        f"has {count_of(num_cells, 'cell')} in line {row.line}, but {columns.num_columns:,} in its "
        "header."
    )


def floats_of(block: Sequence[Row], numbers: Sequence[str], columns: Columns) -> NDArray:
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
        raise WrongFileError(f"has wrong probabilities in line {block[row].line}: it {reason}")
    return values


def _wrong_numbers(
    block: Sequence[Row], numbers: Sequence[str], columns: Columns
) -> WrongFileError:
    """Return what is wrong with the first row of a block that cannot be read."""
    for row, text in zip(block, numbers, strict=True):
        cells = next(csv.reader([text]), [""])
        if len(cells) != len(columns.class_names):
            return _wrong_length(row, columns)
        for name, cell in zip(columns.class_names, cells, strict=True):
            try:
                float(cell)
            except ValueError:
                column = f"p_{shown(name)}"
                what = f"has {shown(cell)} as {column}" if cell else f"has no {column}"
                return WrongFileError(f"{what} in line {row.line}. Expected a number from 0 to 1.")
    return WrongFileError(f"cannot be read after line {block[0].line}.")
