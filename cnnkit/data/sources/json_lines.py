"""Read a JSONL file, which has one JSON object with path and label per line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnkit.data.records import Source
from cnnkit.data.sources.manifest_rows import COLUMNS, RowReader
from cnnkit.data.sources.manifest_text import ManifestText
from cnnkit.errors import DataError
from cnnkit.text import shown

# What is left of an emoji or another rare character if a program cut a text inside it: "\ud83d".
# The bytes of a file name that is not UTF-8 are \udc80 to \udcff.
_HALF_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class _Number(str):
    """The text of a JSON number, exactly as in the file."""


class _NotANumber(str):
    """`NaN` or `Infinity`, which Python and pandas write although they are not JSON."""


class _WrongLineError(Exception):
    """One line cannot be used; the text says why."""


def read_json_lines(manifest: Path, weight_column: str | None = None) -> Source:
    """List the images of a JSONL file; paths in it are relative to its folder.

    Args:
        manifest: the file.
        weight_column: the key with a weight for each image, None for none.

    Raises:
        DataError: lines are wrong; all of them at once with their numbers.
    """
    content = ManifestText(manifest)
    reader = RowReader(manifest, content.wrong_byte, "line", weight_column)
    # Not splitlines: a JSON text may contain other line breaks, such as U+2028.
    for number, line in enumerate(content.text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = _row(line, weight_column)
        except _WrongLineError as error:
            reader.refuse(number, str(error))
        else:
            reader.read(number, row)
    return reader.source()


def read_keys(manifest: Path) -> Iterator[dict[str, str]]:
    """Yield the keys of each line with a text, a number or a truth value, without other checks."""
    for number, line in enumerate(ManifestText(manifest).text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = _object(line)
        except _WrongLineError as error:
            raise DataError(f"{manifest}, line {number}: {error}") from error
        yield {
            key: str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in row.items()
            if isinstance(value, str | bool)
        }


def _row(line: str, weight_column: str | None) -> dict[str, str]:
    row = _object(line)
    missing = [key for key in ("path", "label") if key not in row]
    if missing:
        came = ", ".join(map(shown, row)) or "nothing"
        raise _WrongLineError(f"it lacks {' and '.join(missing)}; it has {came}")
    keys = COLUMNS if weight_column is None else (*COLUMNS, weight_column)
    return {key: _text(key, row[key]) for key in keys if key in row}


def _object(line: str) -> dict[str, Any]:
    try:
        # A label may be a number: 1.0 and 1e3 keep the text that they have in the file.
        row = json.loads(
            line,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_NotANumber,
            object_pairs_hook=_once,
        )
    except (json.JSONDecodeError, RecursionError) as error:
        raise _WrongLineError(f"it is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise _WrongLineError('expected an object like {"path": "a.jpg", "label": "cat"}')
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _WrongLineError(f"it has {shown(twice)} more than once")
    return row


def _text(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, _NotANumber):
        raise _WrongLineError(
            f"{key} is {value}, which stands for a missing value; expected a text or a number"
        )
    number_fits = key in ("label", "group") or key not in COLUMNS  # the weight
    if not isinstance(value, str) or (isinstance(value, _Number) and not number_fits):
        expected = "a text or a number" if number_fits else "a text"
        raise _WrongLineError(f"{key} is {_shown(value)}, expected {expected}")
    if half := _HALF_CHARACTER.search(value):
        raise _WrongLineError(f"{key} has half of a character ({ascii(half[0])[1:-1]})")
    return str(value)


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, _Number) else json.dumps(value)
