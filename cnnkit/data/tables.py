"""A CSV file with the columns path,label[,split] enters; its image records leave."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from cnnkit.data.records import SPLITS, ImageRecord, Source, split_from_word
from cnnkit.errors import DataError, did_you_mean

_MAX_SHOWN = 20


def read_table(table: Path) -> Source:
    """List the images of a CSV file; paths in it are relative to its folder.

    Raises:
        DataError: missing columns, or every bad row at once with its line number.
    """
    rows = _rows(table)
    columns = _columns(table, rows[0][1] if rows else [])
    reader = _RowReader(table.parent.absolute(), columns)
    for line, cells in rows[1:]:
        reader.read(line, cells)
    problems = sorted(reader.problems + _unsplit_rows(reader))
    if problems:
        shown = [f"  line {line}: {text}" for line, text in problems[:_MAX_SHOWN]]
        if len(problems) > _MAX_SHOWN:
            shown.append(f"  and {len(problems) - _MAX_SHOWN:,} more")
        count = "1 bad row" if len(problems) == 1 else f"{len(problems):,} bad rows"
        raise DataError("\n".join([f"{table} has {count}:", *shown]))
    records = sorted(reader.records, key=lambda record: record.path)
    if not records:
        raise DataError(f"{table} lists no image: it has a header and no rows.")
    return Source(str(table), tuple(records))


def _rows(table: Path) -> list[tuple[int, list[str]]]:
    try:
        with open(table, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            return [(reader.line_num, cells) for cells in reader if any(cells)]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{table} is not UTF-8 text (byte {error.start}). Save it as CSV UTF-8."
        ) from error
    except (csv.Error, OSError) as error:
        raise DataError(f"{table} cannot be read as CSV: {error}.") from error


def _columns(table: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    columns = {name: names.index(name) for name in ("path", "label", "split") if name in names}
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        came = ", ".join(header) or "nothing"
        raise DataError(
            f"{table} lacks the column {' and the column '.join(missing)}: its first line has "
            f"{came}. Expected a first line path,label or path,label,split, separated by "
            "commas."
        )
    return columns


class _RowReader:
    """Turns rows into records and collects what is wrong with them."""

    def __init__(self, folder: Path, columns: dict[str, int]) -> None:
        self._folder = folder
        self._columns = columns
        self._line_of_file: dict[str, int] = {}
        self.problems: list[tuple[int, str]] = []
        self.records: list[ImageRecord] = []
        self.lines: list[int] = []

    def read(self, line: int, cells: list[str]) -> None:
        path, label, split = (self._cell(cells, name) for name in ("path", "label", "split"))
        problem = self._problem(path, label, split)
        if problem:
            self.problems.append((line, problem))
            return
        file = os.path.normpath(os.path.join(self._folder, path))
        first_line = self._line_of_file.setdefault(file, line)
        if first_line != line:
            self.problems.append((line, f"{path} is already in line {first_line}"))
        elif not os.path.isfile(file):
            what = "is a folder, not a file" if os.path.isdir(file) else "does not exist"
            self.problems.append((line, f"{path} {what} (looked for {file})"))
        else:
            shown = self._shown(file)
            record = ImageRecord(shown, Path(file), label, split_from_word(split))
            self.records.append(record)
            self.lines.append(line)

    def _cell(self, cells: list[str], name: str) -> str:
        column = self._columns.get(name)
        return cells[column].strip() if column is not None and column < len(cells) else ""

    def _problem(self, path: str, label: str, split: str) -> str | None:
        if not path:
            return "the path is empty"
        if not label:
            return f"{path} has no label"
        if split and split_from_word(split) is None:
            hint = did_you_mean(split, SPLITS)
            return f"unknown split {split!r}, expected {', '.join(SPLITS)}.{hint}"
        return None

    def _shown(self, file: str) -> str:
        folder = str(self._folder).rstrip(os.sep) + os.sep
        inside = file[len(folder) :] if file.startswith(folder) else file
        return inside.replace(os.sep, "/")


def _unsplit_rows(reader: _RowReader) -> list[tuple[int, str]]:
    """Return a problem for each row without a split where other rows have one."""
    rows = list(zip(reader.lines, reader.records, strict=True))
    unsplit = [(line, record) for line, record in rows if record.split is None]
    if len(unsplit) == len(rows):
        return []
    return [
        (line, f"{record.path} has no split, but other rows have one") for line, record in unsplit
    ]
