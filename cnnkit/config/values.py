"""A value from YAML enters; the same as plain Python leaves, or what was expected instead."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import core_schema

from cnnkit.config.mistakes import problem, shown
from cnnkit.config.yaml_reader import YamlFloat, YamlInt
from cnnkit.errors import did_you_mean

_REFERENCE = "x-reference"  # stands for $ref while pydantic has the schema


class MismatchError(Exception):
    """A value is not of the kind. `hint` is added to the message."""

    def __init__(self, hint: str = "") -> None:
        """Keep the hint."""
        super().__init__(hint)
        self.hint = hint


@dataclass(frozen=True)
class Kind:
    """What a config value may be: the words, the check and the JSON Schema of it.

    Args:
        expected: "a whole number of at least 1", the words after "expected".
        convert: returns the plain value; raises MismatchError, or a ValidationError for parts.
        schema: JSON Schema of the values accepted.
        write: turns the value back into plain YAML data.
    """

    expected: str
    convert: Callable[[Any], Any]
    schema: Mapping[str, Any]
    write: Callable[[Any], Any] = lambda value: value

    def read(self, value: Any) -> Any:
        """Return the plain value; raises a pydantic error in our words."""
        try:
            return self.convert(value)
        except MismatchError as error:
            message = f"expected {self.expected}, received {shown(value)}.{error.hint}"
            raise problem("bad_value", message) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Let pydantic use this kind as the annotation of a field."""
        written = core_schema.plain_serializer_function_ser_schema(self.write)
        return core_schema.no_info_plain_validator_function(self.read, serialization=written)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Return the JSON Schema for the field, its references to our definitions disguised."""
        return _renamed(self.schema, "$ref", _REFERENCE)


def with_references(schema: dict[str, Any]) -> dict[str, Any]:
    """Return pydantic's JSON Schema with the references to our own definitions put back."""
    return _renamed(schema, _REFERENCE, "$ref")


def _renamed(schema: Any, old: str, new: str) -> Any:
    if isinstance(schema, Mapping):
        return {new if k == old else k: _renamed(part, old, new) for k, part in schema.items()}
    return [_renamed(part, old, new) for part in schema] if isinstance(schema, list) else schema


def plain(value: Any) -> Any:
    """Return a value made of Python's own types only; numbers lose their written text."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, YamlInt):
        return int(value)
    return float(value) if isinstance(value, YamlFloat) else value


def whole(minimum: int | None = None, maximum: int | None = None) -> Kind:
    """Return the kind of whole numbers in a range, both ends included."""

    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise MismatchError
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            raise MismatchError
        return int(value)

    bounds = {"minimum": minimum, "maximum": maximum}
    schema = {"type": "integer"} | {k: v for k, v in bounds.items() if v is not None}
    return Kind("a whole number" + _range_words(minimum, maximum), convert, schema)


def number(
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> Kind:
    """Return the kind of finite numbers in a range; `above` and `below` are open ends."""

    def convert(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MismatchError
        outside = (
            not math.isfinite(value)
            or (minimum is not None and value < minimum)
            or (maximum is not None and value > maximum)
            or (above is not None and value <= above)
            or (below is not None and value >= below)
        )
        if outside:
            raise MismatchError
        return float(value)

    bounds = {
        "minimum": minimum,
        "maximum": maximum,
        "exclusiveMinimum": above,
        "exclusiveMaximum": below,
    }
    schema = {"type": "number"} | {k: v for k, v in bounds.items() if v is not None}
    words = _range_words(minimum, maximum, above, below)
    return Kind("a number" + words, convert, schema)


def _range_words(
    minimum: float | None,
    maximum: float | None,
    above: float | None = None,
    below: float | None = None,
) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    bounds = (("of at least", minimum), ("of at most", maximum), ("above", above), ("below", below))
    words = [f"{word} {bound}" for word, bound in bounds if bound is not None]
    return f" {' and '.join(words)}" if words else ""


def flag() -> Kind:
    """Return the kind of true and false."""

    def convert(value: Any) -> bool:
        if not isinstance(value, bool):
            raise MismatchError
        return value

    return Kind("true or false", convert, {"type": "boolean"})


def text(expected: str = "text") -> Kind:
    """Return the kind of non-empty strings. A number is taken as it was written."""

    def convert(value: Any) -> str:
        value = getattr(value, "text", value)
        if not isinstance(value, str) or not value:
            raise MismatchError(_quote_hint(value))
        return value

    return Kind(expected, convert, {"type": ["string", "number"]})


def regular_expression() -> Kind:
    """Return the kind of Python regular expressions."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise MismatchError
        try:
            re.compile(value)
        except re.error as error:
            raise MismatchError(f" {str(error).capitalize()}.") from None
        return value

    return Kind("a regular expression", convert, {"type": "string", "format": "regex"})


def _quote_hint(value: Any) -> str:
    return f' Write "{str(value).lower()}" in quotes.' if isinstance(value, bool) else ""


def known_name(expected: str, names: tuple[str, ...]) -> Kind:
    """Return the kind of one name out of many; the message lists them at its end."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            near = did_you_mean(value, names) if isinstance(value, str) else ""
            raise MismatchError(f"{near} Allowed: {', '.join(names)}.")
        return value

    return Kind(expected, convert, {"type": "string", "enum": list(names)})


def choice(*names: str) -> Kind:
    """Return the kind of one name out of a few."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise MismatchError(did_you_mean(value, names) if isinstance(value, str) else "")
        return value

    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return Kind(listed, convert, {"type": "string", "enum": list(names)})


def items_of(item: Kind, lengths: tuple[int, ...] = (), expected: str = "") -> Kind:
    """Return the kind of lists of `item`, of one of the lengths given or of any length but 0."""

    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or not value:
            raise MismatchError
        if lengths and len(value) not in lengths:
            raise MismatchError
        return [item.convert(part) for part in value]

    schema: dict[str, Any] = {"type": "array", "items": item.schema, "minItems": 1}
    if lengths:
        schema |= {"minItems": min(lengths), "maxItems": max(lengths)}
    return Kind(expected or f"a list, each {item.expected}", convert, schema)


def either(*kinds: Kind, expected: str = "") -> Kind:
    """Return the kind of values that one of the kinds accepts; the first that does converts."""

    def convert(value: Any) -> Any:
        hint = ""
        for kind in kinds:
            try:
                return kind.convert(value)
            except MismatchError as error:
                hint = hint or error.hint
        raise MismatchError(hint)

    words = expected or " or ".join(kind.expected for kind in kinds)
    return Kind(words, convert, {"anyOf": [kind.schema for kind in kinds]})


def nullable(kind: Kind) -> Kind:
    """Return the kind that also accepts null."""
    words = kind.expected if "null" in kind.expected else f"{kind.expected} or null"
    both = either(Kind("null", _null, {"type": "null"}), kind, expected=words)
    return replace(both, write=lambda value: None if value is None else kind.write(value))


def _null(value: Any) -> None:
    if value is not None:
        raise MismatchError


def anything() -> Kind:
    """Return the kind of any plain data, null included."""
    return Kind("any value", plain, {})
