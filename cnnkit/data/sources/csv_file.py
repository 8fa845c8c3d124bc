"""Read a CSV file with the columns path,label[,split,group,sha256]."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from cnnkit.data.records import Source
from cnnkit.data.sources.manifest_rows import COLUMNS, ManifestText, RowReader
from cnnkit.errors import DataError


def read_table(table: Path) -> Source:
    """List the images of a CSV file; paths in it are relative to its folder.

    Raises:
        DataError: the columns are wrong, or rows are; all bad rows at once with their lines.
    """
    content = ManifestText(table)
    rows = _rows(table, content.text)
    _, header = next(rows, (0, []))
    columns = _columns(table, header)
    reader = RowReader(table, content.wrong_byte)
    for line, cells in rows:
        reader.read(line, {name: _cell(cells, name, place) for name, place in columns.items()})
    return reader.source()


def _rows(table: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in reader:
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{table} cannot be read as CSV: {error}.") from error


def _columns(table: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    came = ", ".join(header) or "nothing"
    missing = [name for name in ("path", "label") if name not in names]
    if missing:
        raise DataError(
            f"{table} lacks the column {' and the column '.join(missing)}: its first line has "
            f"{came}. Expected path,label or path,label,split, separated by commas, in the first "
            "line."
        )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise DataError(
            f"{table} has the column {' and the column '.join(twice)} more than once: its first "
            f"line has {came}. Keep one of them."
        )
    return {name: names.index(name) for name in COLUMNS if name in names}


def _cell(cells: list[str], name: str, place: int) -> str:
    """Return a cell without the blanks around it, which only a file name may have."""
    if place >= len(cells):
        return ""
    return cells[place] if name == "path" else cells[place].strip()
