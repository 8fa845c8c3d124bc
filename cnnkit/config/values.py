"""The types that the values of a config may have, and the words for them in messages.

A type is an annotation that pydantic validates: `Annotated[Whole, Ge(1)]`, `choice("max",
"average")`. `words` turns it into "a whole number of at least 1", "max or average". Where the words
made from a type would be poor, the annotation holds `Expected("better words")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Strict,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import core_schema

from cnnkit.config.yaml_reader import YamlFloat, YamlInt

LARGEST_SEED = 2**32 - 1  # of NumPy and scikit-learn


class Section(BaseModel):
    """One section of the config: it cannot be changed, and unknown keys are errors."""

    # Deferred: only `Config` is validated with, so most sections need no validator of their own.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_if_null(cls, data: Any) -> Any:
        return {} if data is None else data  # `training:` with nothing below it


class MismatchError(ValueError):
    """A value is not of a type, raised by our own validators.

    Args:
        hint: what the message adds at its end; begins with a blank.
        nearest: the allowed name that is most like the value.
    """

    def __init__(self, hint: str = "", nearest: str = "") -> None:
        """Keep the hint and the name."""
        super().__init__(hint)
        self.hint, self.nearest = hint, nearest


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Expected:
    """The words for a type, in place of those made from it.

    Args:
        words: what follows "expected".
        lists_choices: whether messages list all names at their end; the words do not have them.
    """

    words: str
    lists_choices: bool = False


@dataclass(frozen=True)
class Custom(Expected):
    """The annotation of a type that a function of ours reads, as `Annotated[Any, Custom(...)]`.

    Args:
        words: what follows "expected".
        read: returns the plain value; raises MismatchError, or a pydantic error in our words.
        schema: the JSON Schema of what `read` takes.
        write: turns what `read` returns into plain YAML data.
    """

    lists_choices: bool = field(default=False, init=False)
    read: Callable[[Any], Any] = field(kw_only=True)
    schema: Mapping[str, Any] = field(kw_only=True, hash=False)
    write: Callable[[Any], Any] = field(kw_only=True, default=_unchanged)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Let pydantic read and write values with our functions."""
        written = core_schema.plain_serializer_function_ser_schema(self.write)
        return core_schema.no_info_plain_validator_function(self.read, serialization=written)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Return the JSON Schema, its references disguised: pydantic would look for them."""
        return renamed(self.schema, "$ref", REFERENCE)


REFERENCE = "x-reference"  # in place of $ref while pydantic has the schema


def renamed(schema: Any, old: str, new: str) -> Any:
    """Return a JSON Schema in which the key `old` is called `new`."""
    if isinstance(schema, Mapping):
        return {new if k == old else k: renamed(part, old, new) for k, part in schema.items()}
    return [renamed(part, old, new) for part in schema] if isinstance(schema, list) else schema


# --- the types

# Strict: "3" and true are not numbers, and 3.0 is not a whole number.
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), AllowInfNan(False)]
Flag = Annotated[bool, Strict()]

Positive = Annotated[Whole, Ge(1)]
NumberFrom0 = Annotated[Number, Ge(0)]
NumberAbove0 = Annotated[Number, Gt(0)]
Fraction = Annotated[Number, Ge(0), Lt(1)]
Seed = Annotated[Whole, Ge(0), Le(LARGEST_SEED)]


def choice(*names: str) -> Any:
    """Return the type of one of a few names."""
    return Literal[names]


def one_of_many(expected: str, names: tuple[str, ...]) -> Any:
    """Return the type of one of many names; messages list them at their end."""
    return Annotated[Literal[names], Expected(expected, lists_choices=True)]


def list_of(item: Any, length: int | None = None) -> Any:
    """Return the type of lists of one length, or of any length but 0."""
    return Annotated[list[item], Len(length or 1, length)]


def described(kind: Any, expected: str) -> Any:
    """Return the same type with other words."""
    return Annotated[kind, Expected(expected)]


def _as_written(value: Any) -> Any:
    if isinstance(value, bool):
        raise MismatchError(f' Write "{str(value).lower()}" in quotes.')
    return getattr(value, "text", value)


# Text that is not empty. A number is taken as it was written: a folder may be called 012.
Text = Annotated[
    str,
    BeforeValidator(_as_written),
    Len(1),
    Expected("text"),
    WithJsonSchema({"type": ["string", "number"]}),
]


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise MismatchError(f" {str(error).capitalize()}.") from None
    return pattern


RegularExpression = Annotated[
    str,
    Len(1),
    AfterValidator(_compiled),
    Expected("a regular expression"),
    WithJsonSchema({"type": "string", "format": "regex"}),
]


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what pydantic validates values of a type with."""
    return TypeAdapter(kind)


def plain(value: Any) -> Any:
    """Return a value made of Python's own types only; numbers forget how they were written."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, YamlInt):
        return int(value)
    return float(value) if isinstance(value, YamlFloat) else value


# --- the words for a type


def words(kind: Any) -> str:
    """Return what values of a type are called in messages.

    >>> words(Annotated[Whole, Ge(1)]), words(choice("same", "valid") | None)
    ('a whole number of at least 1', 'same, valid or null')
    """
    base, metadata = _base_and_metadata(kind)
    given = _expected(metadata)
    if given:
        return given.words
    section = section_in(base)
    if section is not None:
        return f"{_container(base)} with the keys {', '.join(section.model_fields)}"
    if get_origin(base) in (Union, UnionType):
        return _words_of_several(get_args(base))
    if get_origin(base) is Literal:
        return _joined(get_args(base))
    if get_origin(base) is list:
        return f"a list, each {words(get_args(base)[0])}"
    nouns = {int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
    return nouns.get(base, "any value") + _range_words(metadata)


def _words_of_several(kinds: tuple[Any, ...]) -> str:
    """Return the words for a value of one of several types; null comes last, and once."""
    if kinds[-1] is NoneType and len(kinds) == 2 and get_origin(kinds[0]) is Literal:
        return _joined((*get_args(kinds[0]), "null"))
    return " or ".join(words(kind) for kind in kinds)


def _joined(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _container(base: Any) -> str:
    return "a list of sections, each" if get_origin(base) is tuple else "a section"


def _range_words(metadata: tuple[Any, ...]) -> str:
    bounds = {type(m): getattr(m, type(m).__name__.lower()) for m in metadata if _is_bound(m)}
    if Ge in bounds and Le in bounds:
        return f" from {bounds[Ge]} to {bounds[Le]}"
    named = ((Ge, "of at least"), (Le, "of at most"), (Gt, "above"), (Lt, "below"))
    found = [f"{word} {bounds[bound]}" for bound, word in named if bound in bounds]
    return f" {' and '.join(found)}" if found else ""


def _is_bound(metadata: Any) -> bool:
    return isinstance(metadata, Ge | Le | Gt | Lt)


# --- what is inside a type


def _base_and_metadata(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(kind) is not Annotated:
        return kind, ()
    base, *metadata = get_args(kind)  # Python itself flattens nested Annotated types
    return base, tuple(metadata)


def _expected(metadata: tuple[Any, ...]) -> Expected | None:
    """Return the words that were given last: the outermost ones."""
    return next((each for each in reversed(metadata) if isinstance(each, Expected)), None)


def _inner_types(kind: Any) -> tuple[Any, ...]:
    """Return the types that a type allows: itself, or those of a union or an optional value."""
    base, _ = _base_and_metadata(kind)
    is_union = get_origin(base) in (Union, UnionType)
    return (
        tuple(each for part in get_args(base) for each in _inner_types(part))
        if is_union
        else (kind,)
    )


def choices_of(kind: Any) -> tuple[str, ...]:
    """Return the names that a type allows, if it is a choice of names."""
    bases = [_base_and_metadata(each)[0] for each in _inner_types(kind)]
    return tuple(name for base in bases if get_origin(base) is Literal for name in get_args(base))


def lists_its_choices(kind: Any) -> bool:
    """Return whether messages list the names that a type allows."""
    found = (_expected(_base_and_metadata(each)[1]) for each in (kind, *_inner_types(kind)))
    return any(each.lists_choices for each in found if each)


def section_in(kind: Any) -> type[BaseModel] | None:
    """Return the section that a type is, holds in a list, or allows besides null."""
    base, _ = _base_and_metadata(kind)
    if isinstance(base, type) and issubclass(base, BaseModel):
        return base
    inner = get_args(base) if get_origin(base) in (tuple, Union, UnionType) else ()
    return next(filter(None, map(section_in, inner)), None)
