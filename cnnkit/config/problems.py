"""Pydantic's errors and the positions in the file enter; located problems in our words leave."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cnnkit.config.mistakes import missing_key, shown, unknown_key
from cnnkit.config.schema import Config
from cnnkit.config.values import Kind
from cnnkit.config.yaml_reader import Document, Path
from cnnkit.errors import Problem

# A path, what of it to point at (its "key", its "value" or the "section" around it), and a message.
Row = tuple[Path, str, str]

_SUGGESTION = re.compile(r"Did you mean (\w+)\?")

# What an error points at; any other error points at a value.
_SUBJECTS = {
    "extra_forbidden": "key",
    "unknown_key": "key",
    "missing": "section",
    "missing_key": "section",
}


def rows_of(error: ValidationError) -> list[Row]:
    """Return every error of a validation of Config as a row for `located`.

    A misspelt required key is one mistake, not two: where an unknown key has it as its nearest
    name, that it is missing is not said.
    """
    rows = [
        (row["loc"], _SUBJECTS.get(row["type"], "value"), _message(row["type"], row["loc"], row))
        for row in error.errors()
    ]
    meant = {
        (*path[:-1], name)
        for path, subject, message in rows
        if subject == "key"
        for name in _SUGGESTION.findall(message)
    }
    return [(path, *rest) for path, *rest in rows if not (rest[0] == "section" and path in meant)]


def located(rows: Iterable[Row], document: Document) -> list[Problem]:
    """Return the problems of rows, in the order of the file; those of `--set` come last."""
    placed = []
    for path, subject, message in rows:
        order, location = _place(path, subject, document)
        placed.append((order, Problem(dotted(path), message, location)))
    return [problem for _, problem in sorted(placed, key=lambda pair: pair[0])]


def dotted(path: Path) -> str:
    """Return a path as the user writes it.

    >>> dotted(("model", "layers", 3, "conv", "filters"))
    'model.layers[3].conv.filters'
    """
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def _place(path: Path, subject: str, document: Document) -> tuple[tuple[int, int, int], str]:
    """Return a sort key and the location shown."""
    for number, (option_path, option) in reversed(list(enumerate(document.options.items()))):
        if path[: len(option_path)] == option_path:
            return (1, number, 0), option
        if path == option_path[: len(path)] and path not in document.key_positions:
            return (1, number, 0), option  # a section that the option itself has opened
    line, column = _position(path, subject, document)
    where = f"{document.filename}:{line}:{column}" if document.positions else document.filename
    return (0, line, column), where


def _position(path: Path, subject: str, document: Document) -> tuple[int, int]:
    if subject == "key" and path in document.key_positions:
        return document.key_positions[path]
    if subject == "value" and path in document.positions:
        return document.positions[path]
    for end in range(len(path) - 1, 0, -1):  # the nearest section around it that is in the file
        around = path[:end]
        places = document.positions if subject == "value" else document.key_positions
        position = places.get(around) or document.positions.get(around)
        if position:
            return position
    return document.positions.get((), (1, 1))


def _message(kind: str, path: Path, row: Any) -> str:
    if kind == "extra_forbidden":
        section = _section(path[:-1])
        return unknown_key(dotted(path[:-1]), str(path[-1]), section.model_fields).message()
    if kind == "missing":
        return missing_key(str(path[-1]), _expected(_section(path[:-1]), str(path[-1]))).message()
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        keys = ", ".join(_section(path).model_fields)
        return f"expected a section with the keys {keys}, received {shown(row['input'])}."
    if kind in ("tuple_type", "list_type"):
        return f"expected a list, received {shown(row['input'])}."
    return row["msg"]


def _section(path: Path) -> type[BaseModel]:
    section: type[BaseModel] = Config
    for part in path:
        if isinstance(part, int):
            continue  # one of several
        annotation = section.model_fields[part].annotation
        candidates = get_args(annotation) or (annotation,)
        section = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return section


def _expected(section: type[BaseModel], name: str) -> str:
    field = section.model_fields[name]
    kinds = [extra.expected for extra in field.metadata if isinstance(extra, Kind)]
    if kinds:
        return kinds[0]
    required = [key for key, part in field.annotation.model_fields.items() if part.is_required()]
    return f"a section with {' and '.join(required)}"
