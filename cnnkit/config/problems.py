"""The wording of mistakes in a config, and the line that each of them is in.

A mistake in one value reaches this file as an error of pydantic: either one of pydantic's own, or
one that our validators raise with `bad_value`, `unknown_key` or `missing_key`. `mistakes_of`
rewords the former and keeps the latter; `located` adds the line and column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, ValidationError

from cnnkit.config.values import (
    MismatchError,
    adapter,
    choices_of,
    lists_its_choices,
    section_in,
    words,
)
from cnnkit.config.yaml_reader import Document, YamlFloat, YamlInt
from cnnkit.errors import KeyPath, Problem, dotted, nearest_name, suggested

SHOWN_LENGTH = 60  # characters of a received value in a message


_Target = Literal["value", "key", "section"]


@dataclass(frozen=True)
class Mistake:
    """One mistake, before its line is known.

    Args:
        path: the keys and list indices that lead to it.
        message: what is wrong, what is allowed and what to do.
        points_at: what the reported line and column belong to: the value at the path, its key, or
            the section around a key that is missing.
        suggestion: the nearest allowed name, if there is one.
    """

    path: KeyPath
    message: str
    points_at: _Target = "value"
    suggestion: str = ""


# --- the wording


def bad_value(message: str, suggestion: str = "") -> PydanticCustomError:
    """Return the error for a value that is not allowed."""
    return _error("bad_value", message, suggestion)


def unknown_key(
    owner: str, key: str, allowed: Iterable[str], word: str = "key"
) -> PydanticCustomError:
    """Return the error for a key that `owner` does not have."""
    names = list(allowed)
    near = nearest_name(key, names)
    listed = f" Allowed: {', '.join(names)}." if names else " It takes none."
    of = f" for {owner}" if owner else ""
    return wrong_key(f"unknown {word}{of}.{suggested(near)}{listed}", near)


def wrong_key(message: str, suggestion: str = "") -> PydanticCustomError:
    """Return the error for a key that is not allowed where it is."""
    return _error("unknown_key", message, suggestion)


def missing_key(key: str, expected: str) -> PydanticCustomError:
    """Return the error for a required key that is not given."""
    return _error("missing_key", f"required, but missing. Add {key}: {expected}.")


def mismatch(kind: Any, value: Any, error: ValidationError) -> PydanticCustomError:
    """Return the error for a value that is not of a type; `error` is what pydantic found."""
    return _mismatch(kind, value, error.errors(include_url=False))


def shown(value: Any) -> str:
    """Return a value as a message shows it, cut to a readable length.

    >>> shown("ten"), shown(None), shown([1, True])
    ('"ten"', 'null', '[1, true]')
    """
    if isinstance(value, YamlInt | YamlFloat):
        return value.text
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + " ..."


def _error(kind: Any, message: str, suggestion: str = "") -> PydanticCustomError:
    # The message is filled in as a value, because it may contain braces itself.
    return PydanticCustomError(kind, "{message}", {"message": message, "suggestion": suggestion})


def _mismatch(kind: Any, value: Any, rows: Iterable[ErrorDetails]) -> PydanticCustomError:
    choices = choices_of(kind)
    hint, near = "", nearest_name(value, choices) if isinstance(value, str) else ""
    for row in rows:
        reason = row.get("ctx", {}).get("error")
        if isinstance(reason, MismatchError):
            hint, near = hint or reason.hint, near or reason.nearest
    if lists_its_choices(kind):
        hint += f" Allowed: {', '.join(choices)}."
    message = f"expected {words(kind)}, received {shown(value)}.{suggested(near)}{hint}"
    return bad_value(message, near)


# --- gathering the mistakes of one value


class Errors:
    """The errors in the parts of one value, gathered so that all are reported at once."""

    def __init__(self) -> None:
        """Start without errors."""
        self._details: list[InitErrorDetails] = []

    def add(self, path: KeyPath, error: PydanticCustomError) -> None:
        """Keep an error at a path below the value."""
        self._details.append(InitErrorDetails(type=error, loc=path, input=None))

    def read(self, path: KeyPath, read: Callable[[Any], Any], value: Any) -> Any:
        """Return `read(value)`, or keep its errors below `path` and return None."""
        try:
            return read(value)
        except PydanticCustomError as error:
            self.add(path, error)
        except ValidationError as error:  # of parts of the value, already in our words
            for row in error.errors(include_url=False):
                self.add((*path, *row["loc"]), _error(row["type"], **row["ctx"]))
        return None

    def finish(self) -> None:
        """Raise all errors as one ValidationError, if there are any."""
        if self._details:
            raise ValidationError.from_exception_data("config", self._details)


def read_value(kind: Any, value: Any) -> Any:
    """Return a value converted to a type of `cnnkit.config.values`.

    Raises:
        PydanticCustomError: the value is not of the type.
        ValidationError: parts of the value are wrong, each with its path.
    """
    try:
        return adapter(kind).validate_python(value)
    except ValidationError as error:
        if all(row["type"] in _POINTS_AT for row in error.errors(include_url=False)):
            raise  # our own validators raised it, with the paths of the parts
        raise mismatch(kind, value, error) from None


# --- from pydantic's errors to mistakes

# The errors that are worded here, and what each points at.
_POINTS_AT: dict[str, _Target] = {
    "bad_value": "value",
    "unknown_key": "key",
    "missing_key": "section",
}


def mistakes_of(
    error: ValidationError, section: type[BaseModel] = BaseModel, data: Any = None
) -> list[Mistake]:
    """Return every mistake that a validation found, in our words.

    A misspelt required key is reported only as unknown, and not again as missing.

    Args:
        error: of the validation.
        section: what was validated; not needed if our own validators raised all errors.
        data: what was given.
    """
    # A dict, not a set, keeps the order. Several of pydantic's errors may become the same mistake.
    found = dict.fromkeys(_reworded(row, section, data) for row in error.errors(include_url=False))
    meant = {(*each.path[:-1], each.suggestion) for each in found if each.points_at == "key"}
    return [each for each in found if each.points_at != "section" or each.path not in meant]


def _reworded(row: ErrorDetails, section: type[BaseModel], data: Any) -> Mistake:
    path, kind, context = row["loc"], row["type"], row.get("ctx", {})
    if kind not in _POINTS_AT:
        path, error = _in_our_words(row, section, data)
        kind, context = error.type, error.context or {}
    return Mistake(path, context["message"], _POINTS_AT[kind], context["suggestion"])


def _in_our_words(
    row: ErrorDetails, section: type[BaseModel], data: Any
) -> tuple[KeyPath, PydanticCustomError]:
    """Return the path and the error for one of pydantic's own errors."""
    path = row["loc"]
    *_, (around, owner, _) = _declared(path[:-1], section, data)
    holder = section_in(owner)
    if holder is not None and around == path[:-1]:  # else it is a pair that lacks a number
        key, fields = str(path[-1]), holder.model_fields
        if row["type"] == "missing":
            return path, missing_key(key, _words_of_missing(fields[key].rebuild_annotation()))
        if row["type"] == "extra_forbidden":
            return path, unknown_key(dotted(around), key, fields)
    *_, (path, kind, value) = _declared(path, section, data)
    return path, _mismatch(kind, value, [row])


def _declared(
    path: KeyPath, section: type[BaseModel], data: Any
) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Yield (path, type, value) of every declared key on the way, the whole config first.

    What pydantic adds to a path after the last declared key is its own: `[1]` of an image size, or
    which of several types it tried.
    """
    kind: Any = section
    yield (), kind, data
    for depth, part in enumerate(path):
        inner = section_in(kind)
        if inner is None:
            return
        data = data[part] if _has(data, part) else None  # for a value that is not what it should be
        if isinstance(part, int):
            kind = inner  # one entry of a list of sections
        elif part in inner.model_fields:
            kind = inner.model_fields[part].rebuild_annotation()
        else:
            return
        yield path[: depth + 1], kind, data


def _has(data: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(data, list) and part < len(data)
    return isinstance(data, dict) and part in data


def _words_of_missing(kind: Any) -> str:
    inner = section_in(kind)
    if inner is None:
        return words(kind)
    required = [key for key, field in inner.model_fields.items() if field.is_required()]
    return f"a section with {' and '.join(required)}"


# --- where a mistake is


def located(mistakes: Iterable[Mistake], document: Document) -> list[Problem]:
    """Return the problems of mistakes, in the order of the file; those of `--set` come last."""
    placed = []
    for mistake in mistakes:
        order, location = _place(mistake, document)
        problem = Problem(mistake.message, location, mistake.path, mistake.suggestion)
        placed.append((order, problem))
    return [problem for _, problem in sorted(placed, key=lambda pair: pair[0])]


def _place(mistake: Mistake, document: Document) -> tuple[tuple[int, int, int], str]:
    """Return a sort key and the location to show."""
    path = mistake.path
    for number, (option_path, option) in reversed(list(enumerate(document.options.items()))):
        if path[: len(option_path)] == option_path:  # the last option for a path wins
            return (1, number, 0), option
        if path == option_path[: len(path)] and path not in document.key_positions:
            return (1, number, 0), option  # a section that only the option has opened
    line, column = _position(mistake, document)
    where = f"{document.filename}:{line}:{column}" if document.positions else document.filename
    return (0, line, column), where


def _position(mistake: Mistake, document: Document) -> tuple[int, int]:
    path, of_value = mistake.path, mistake.points_at == "value"
    if mistake.points_at == "key" and path in document.key_positions:
        return document.key_positions[path]
    if of_value and path in document.positions:
        return document.positions[path]
    for end in range(len(path) - 1, 0, -1):  # the nearest section around it that is in the file
        places = document.positions if of_value else document.key_positions
        position = places.get(path[:end]) or document.positions.get(path[:end])
        if position:
            return position
    return document.positions.get((), (1, 1))
