"""The `search` section: for some keys of the config, the values that `cnnkit tune` tries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from cnnkit.config.overrides import key_path
from cnnkit.config.problems import Errors, bad_value, shown, wrong_key
from cnnkit.config.values import Custom, MismatchError, plain
from cnnkit.errors import KeyPath, nearest_name, suggested
from cnnkit.text import first_few

RANGES = ("log", "uniform", "int", "log_int")
_FORMS = (*RANGES, "choices")


@dataclass(frozen=True)
class Range:
    """Numbers between two limits, both included.

    Args:
        kind: `log` and `uniform` are numbers, `int` and `log_int` whole numbers; the two with `log`
            try each power of ten equally often.
        low: the smallest.
        high: the largest.
    """

    kind: str
    low: float
    high: float

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are whole ones."""
        return self.kind in ("int", "log_int")

    @property
    def is_log(self) -> bool:
        """Whether each power of ten is tried equally often."""
        return self.kind in ("log", "log_int")

    def examples(self) -> list[tuple[KeyPath, Any]]:
        """Return both limits, each with its path in the section."""
        # As floats: a key that takes whole numbers then refuses `uniform`.
        low, high = (self.low, self.high) if self.is_whole else (float(self.low), float(self.high))
        return [((self.kind, 0), low), ((self.kind, 1), high)]

    def has(self, value: Any) -> bool:
        """Return whether a value is in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.is_whole or value == int(value))

    def as_given(self) -> Any:
        """Return the plain data of its YAML."""
        return {self.kind: [self.low, self.high]}

    def text(self) -> str:
        """Return it in words."""
        noun = "whole numbers" if self.is_whole else "numbers"
        log = ", evenly on a log scale" if self.is_log else ""
        return f"{noun} from {self.low:g} to {self.high:g}{log}"


@dataclass(frozen=True)
class Choices:
    """Some values.

    Args:
        labels: a short name of each, no two alike.
        values: as in the YAML, in the order of the labels.
        is_named: whether the user gave the names.
    """

    labels: tuple[str, ...]
    values: tuple[Any, ...]
    is_named: bool

    def examples(self) -> list[tuple[KeyPath, Any]]:
        """Return all values, each with its path in the section."""
        if self.is_named:
            named = zip(self.labels, self.values, strict=True)
            return [(("choices", label), value) for label, value in named]
        return [((number,), value) for number, value in enumerate(self.values)]

    def as_given(self) -> Any:
        """Return the plain data of its YAML."""
        values = plain(list(self.values))
        if self.is_named:
            return {"choices": dict(zip(self.labels, values, strict=True))}
        return values

    def text(self) -> str:
        """Return them in words."""
        return ", ".join(self.labels)


Searched = Range | Choices


def _read_searched(value: Any) -> Searched:
    """Return what is tried for one key.

    Raises:
        PydanticCustomError: it has none of the forms.
    """
    if isinstance(value, list):
        return _choices([_label(each) for each in value], value, is_named=False)
    if isinstance(value, Mapping) and len(value) == 1:
        form, given = next(iter(value.items()))
        if form == "choices" and isinstance(given, Mapping):
            return _choices(list(given), list(given.values()), is_named=True)
        if form in RANGES:
            return _range(form, given)
        near = nearest_name(form, _FORMS)
        if form not in _FORMS:
            raise wrong_key(f"unknown form.{suggested(near)} Allowed: {', '.join(_FORMS)}.", near)
    raise bad_value(
        f"expected a list of values, {{choices: {{NAME: value, ...}}}}, or one of "
        f"{', '.join(RANGES)} with [lowest, highest], received {shown(value)}."
    )


def _label(value: Any) -> str:
    """Return the name of a value that has none: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return getattr(value, "text", None) or json.dumps(plain(value), ensure_ascii=False)


def _choices(labels: list[str], values: list[Any], *, is_named: bool) -> Choices:
    if len(values) < 2:
        raise bad_value(
            f"expected at least two values to choose from, received {len(values)}. With a single "
            "one there is nothing to search: write it where the key belongs."
        )
    if twice := [label for label in dict.fromkeys(labels) if labels.count(label) > 1]:
        raise bad_value(f"{first_few(twice)} is given twice. Keep one.")
    return Choices(tuple(labels), tuple(values), is_named)


def _range(kind: str, given: Any) -> Range:
    is_whole, is_log = kind in ("int", "log_int"), kind in ("log", "log_int")
    numbers = given if isinstance(given, list) and len(given) == 2 else []
    allowed = int if is_whole else int | float
    if not all(isinstance(each, allowed) and not isinstance(each, bool) for each in numbers):
        numbers = []
    # Also false for NaN; infinity is not below anything and is refused as a lower limit by this.
    if not numbers or not 0 < numbers[1] - numbers[0] < float("inf"):
        nouns = "two whole numbers" if is_whole else "two numbers"
        raise bad_value(f"expected {nouns}, the smaller one first, received {shown(given)}.")
    if is_log and numbers[0] <= 0:
        raise bad_value(
            f"expected numbers above 0, received {shown(given)}. A log scale has no 0: use "
            f"{'int' if is_whole else 'uniform'}, or a small number such as 1e-5."
        )
    low, high = plain(numbers)
    return Range(kind, low, high)


def _read_search(value: Any) -> dict[str, Searched]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MismatchError
    errors = Errors()
    found = {key: errors.read((key,), partial(_read_one, key), part) for key, part in value.items()}
    paths = {path: key for key in value if (path := key_path(key))}
    for path, key in paths.items():
        for end in range(1, len(path)):
            if path[:end] in paths:
                errors.add((key,), wrong_key(_overlap_message(paths[path[:end]])))
    errors.finish()
    return found


def _read_one(key: str, value: Any) -> Searched:
    path = key_path(key)
    if path is None:
        raise wrong_key("this is not a key. Write it like training.optimizer.adam.learning_rate.")
    if path[0] == "search":
        raise wrong_key("the search cannot be searched. Name a key of the rest of the config.")
    return _read_searched(value)


def _overlap_message(outer: str) -> str:
    return (
        f"{outer}, which this key is a part of, is searched too. Keep one of them: a whole section "
        "can be a choice, as in optimizer: [{adam: {learning_rate: 0.001}}, sgd]."
    )


def _write_search(search: Mapping[str, Searched]) -> dict[str, Any]:
    return {key: searched.as_given() for key, searched in search.items()}


_SEARCHED_SCHEMA = {
    "anyOf": [
        {"type": "array", "minItems": 2},
        {
            "type": "object",
            "properties": {
                "choices": {"type": "object", "minProperties": 2},
                **{
                    kind: {
                        "type": "array",
                        "items": {"type": "integer" if "int" in kind else "number"},
                        "minItems": 2,
                        "maxItems": 2,
                    }
                    for kind in RANGES
                },
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    ]
}
Search = Annotated[
    dict[str, Searched],
    Custom(
        "keys of the config, each with the values to try",
        read=_read_search,
        write=_write_search,
        schema={"type": ["object", "null"], "additionalProperties": _SEARCHED_SCHEMA},
    ),
]
