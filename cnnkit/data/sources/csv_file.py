"""Read a CSV file with the columns path,label[,split,group,sha256]."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cnnkit.data.decoding.image_formats import image_extensions
from cnnkit.data.records import Source
from cnnkit.data.sources.manifest_rows import COLUMNS, RowReader
from cnnkit.data.sources.manifest_text import ManifestText
from cnnkit.errors import DataError, did_you_mean
from cnnkit.text import first_few, shown

# What spreadsheets put between the columns where the comma is part of numbers, and their names.
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_ONE_OR_NOT = {"0", "1"}
_EXCEL = re.compile(r"sep=(.)\r?\n", re.I)  # the first line that Excel writes to name it
# What other programs call the two columns.
_OTHER_NAMES = {
    "path": ("file", "filename", "file_name", "filepath", "file_path", "image", "image_path",
             "image_name", "img", "id", "image_id"),
    "label": ("class", "class_name", "classname", "labels", "category", "target", "y", "species",
              "choice"),
}  # fmt: skip


class _Row(NamedTuple):
    """The cells of one row, and the lines where it begins and ends."""

    begin: int
    end: int
    cells: list[str]


def read_table(table: Path, weight_column: str | None = None) -> Source:
    """List the images of a CSV file; paths in it are relative to its folder.

    Args:
        table: the file.
        weight_column: the column with a weight for each image, None for none.

    Raises:
        DataError: the columns are wrong, or rows are; all bad rows at once with their lines.
    """
    content = ManifestText(table)
    separator = _separator(content.text)
    rows = _rows(table, content.text, separator)
    header = next(rows, _Row(0, 0, [])).cells
    columns = _columns(table, header, rows)
    if weight_column is not None:
        columns[weight_column] = _place_of_weight(table, header, weight_column)
    reader = RowReader(table, content.wrong_byte, weight_column=weight_column)
    for begin, end, cells in rows:
        row = {name: _cell(cells, name, place) for name, place in columns.items()}
        if end > begin and _is_unclosed(row, reader):
            reader.refuse(begin, f"a quotation mark in this line is not closed before line {end}")
        elif any(cell.strip() for cell in cells[len(header) :]):
            reader.refuse(begin, _too_many(cells, header, separator))
        else:
            reader.read(begin, row)
    source = reader.source()
    if separator == ",":
        return source
    return replace(
        source, notes=(f"The columns are separated by {_SEPARATORS[separator]}.", *source.notes)
    )


def read_cells(table: Path) -> Iterator[dict[str, str]]:
    """Yield the cells of each row of a CSV file by column, without any check.

    The names of `COLUMNS` are in lower case, all others as the file has them.
    """
    text = ManifestText(table).text
    rows = _rows(table, text, _separator(text))
    header = [name.strip() for name in next(rows, _Row(0, 0, [])).cells]
    names = [low if (low := name.lower()) in COLUMNS else name for name in header]
    for row in rows:
        yield {name: _cell(row.cells, name, place) for place, name in enumerate(names) if name}


def _separator(text: str) -> str:
    """Return what separates the columns: what Excel says, or what gives the columns we need."""
    stated = _EXCEL.match(text)
    if stated and stated[1] in _SEPARATORS:
        return stated[1]
    first = next((line for line in text.splitlines() if line.strip()), "")
    for separator in _SEPARATORS:
        names = _names(_cells(first, separator))
        if "path" in names and "label" in names:
            return separator
    return ","


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a cell is too long; `_rows` reports it
        return []


def _rows(table: Path, text: str, separator: str) -> Iterator[_Row]:
    skipped = _EXCEL.match(text)
    # newline="": line breaks inside quotation marks belong to the cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    begin = 1
    try:
        for cells in reader:
            if any(cells) and not (skipped and begin == 1):
                yield _Row(begin, reader.line_num, cells)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{table} cannot be read as CSV: {error}, in the row that begins in line {begin}. "
            "Perhaps a quotation mark in that line is not closed."
        ) from error


def _too_many(cells: list[str], header: list[str], separator: str) -> str:
    return (
        f"it has {len(cells)} cells, the first line has {len(header)}; put quotation marks around "
        f"a text that contains {_SEPARATORS[separator]}"
    )


def _is_unclosed(row: dict[str, str], reader: RowReader) -> bool:
    r"""Tell whether a row ends in a later line because a quotation mark is missing.

    A path may have a line break, but then there is such a file. A label may not.
    """
    breaks = {name for name, cell in row.items() if "\n" in cell or "\r" in cell}
    return bool(breaks) and not (breaks == {"path"} and reader.lists(row["path"]))


def _names(header: list[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _columns(table: Path, header: list[str], rows: Iterator[_Row]) -> dict[str, int]:
    names = _names(header)
    came = ", ".join(map(shown, header)) or "nothing"
    missing = [name for name in ("path", "label") if name not in names]
    # The more special reasons first: a file without a header lacks the columns, too.
    if missing and any(Path(name).suffix in image_extensions() for name in names):
        raise DataError(
            f"{table} has no header: its first line is already an image ({came}). Write a line "
            "with the names of the columns above it, such as path,label."
        )
    if missing and (classes := _class_columns(header, next(rows, _Row(0, 0, [])).cells)):
        raise DataError(
            f"{table} has one column for each class ({first_few(classes)}), with 1 for yes and 0 "
            "for no. cnnkit needs one class for each image: write a file with the columns "
            "path,label."
        )
    if missing:
        raise DataError(
            f"{table} lacks the column {' and the column '.join(missing)}: its first line has "
            f"{came}. Expected path,label or path,label,split, separated by commas, semicolons or "
            f"tabs, in the first line.{_renaming(missing, names)}"
        )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise DataError(
            f"{table} has the column {' and the column '.join(twice)} more than once: its first "
            f"line has {came}. Keep one of them."
        )
    return {name: names.index(name) for name in COLUMNS if name in names}


def _place_of_weight(table: Path, header: list[str], column: str) -> int:
    names = [name.strip() for name in header]
    if names.count(column) == 1:
        return names.index(column)
    if column in names:
        raise DataError(f"{table} has the column {shown(column)} more than once. Keep one of them.")
    raise DataError(
        f"{table} has no column {shown(column)}, which data.weight_column names."
        f"{did_you_mean(column, names)} Its columns: {first_few(names, 20)}."
    )


def _class_columns(header: list[str], first: list[str]) -> list[str]:
    """Return the columns of classes, if all columns after the first have 0 and one of them 1."""
    flags = [cell.strip() for cell in first[1:]]
    if len(flags) < 2 or len(first) != len(header) or not _ONE_OR_NOT.issuperset(flags):
        return []
    return [name.strip() for name in header[1:]] if "1" in flags else []


def _renaming(missing: list[str], names: list[str]) -> str:
    """Return which columns to rename, for those whose other names are well known."""
    renamed = [
        f"{other} to {name}"
        for name in missing
        for other in [each for each in _OTHER_NAMES[name] if each in names][:1]
    ]
    return f" Rename {' and '.join(renamed)}." if renamed else ""


def _cell(cells: list[str], name: str, place: int) -> str:
    """Return a cell without the blanks around it, which only a file name may have."""
    if place >= len(cells):
        return ""
    return cells[place] if name == "path" else cells[place].strip()
