"""The kinds of answers: how one is typed, how it is read, and whether it is right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

_ROUNDING = 1e-9  # of sums of floats
_LONGEST = 1_000  # characters of an answer; no right one is near to it
_MINUS = ("\u2212", "-")  # that of word processors
_NUMBER = re.compile(r"[-+]?(\d{1,15}(\.\d{0,20})?|\.\d{1,20})(/\d{1,15}|%)?")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")


class UnreadableError(Exception):
    """What was typed is no answer; the text says what to type instead."""


class Answer(Protocol):
    """The right answer of an exercise."""

    @property
    def tolerance(self) -> float:
        """How far each number of an answer may be away; 0 for exact answers."""

    @property
    def form(self) -> str:
        """How it is typed, as the end of a sentence that begins with "Answer: "."""

    @property
    def text(self) -> str:
        """The right answer as people write it."""

    @property
    def value(self) -> Any:
        """The right answer for JSON."""

    def is_right(self, typed: str) -> bool:
        """Return whether a typed answer is right.

        Raises:
            UnreadableError: it is not of the form.
        """


class _Exact:
    """An answer that is right or not, with nothing in between."""

    tolerance = 0.0


@dataclass(frozen=True)
class Whole(_Exact):
    """A whole number; exact.

    Args:
        value: the number.
        unit: what is counted, such as "pixels"; "" if the question says so.
    """

    value: int
    unit: str = ""

    @property
    def form(self) -> str:
        """How it is typed."""
        return f"a whole number{f' ({self.unit})' if self.unit else ''}"

    @property
    def text(self) -> str:
        """The number with separated thousands."""
        return f"{self.value:,}"

    def is_right(self, typed: str) -> bool:
        """Return whether the number is the same."""
        text = typed.strip().replace(*_MINUS).removesuffix(self.unit).rstrip()
        if _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        if not re.fullmatch(r"[-+]?\d{1,15}", text):
            raise UnreadableError(f"Type {self.form}, for example 12.")
        return int(text) == self.value


@dataclass(frozen=True)
class Decimal:
    """A number that need not be whole.

    Args:
        value: the number.
        tolerance: how far an answer may be away.
    """

    value: float
    tolerance: float

    @property
    def form(self) -> str:
        """How it is typed, and how exactly."""
        return f"a number or a fraction such as 2/3; it may be off by {self.tolerance:g}"

    @property
    def text(self) -> str:
        """The number, rounded to one digit more than the tolerance."""
        return decimal_text(self.value)

    def is_right(self, typed: str) -> bool:
        """Return whether the number is within the tolerance."""
        # In many countries, people write a comma before the decimals.
        text = re.sub(r"\s*([/%])\s*", r"\1", typed.strip()).replace(",", ".")
        return abs(_number(text, self.form) - self.value) <= self.tolerance + _ROUNDING


@dataclass(frozen=True)
class Sizes(_Exact):
    """Several whole numbers in order, such as a shape.

    Args:
        value: the numbers.
        names: what they are, such as (height, width, channels).
    """

    value: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def form(self) -> str:
        """How they are typed."""
        return f"{' x '.join(self.names)}, for example {' x '.join('4' * len(self.names))}"

    @property
    def text(self) -> str:
        """The numbers with x between them."""
        return " x ".join(map(str, self.value))

    def is_right(self, typed: str) -> bool:
        """Return whether all numbers are the same."""
        words = [word for word in re.split(r"[\sx×*,;()\[\]]+", typed.strip().lower()) if word]
        if not all(re.fullmatch(r"\d{1,15}", word) for word in words):
            raise UnreadableError(f"Type {self.form}.")
        if len(words) != len(self.value):
            raise UnreadableError(f"Type {len(self.value)} numbers: {self.form}.")
        return tuple(map(int, words)) == self.value


@dataclass(frozen=True)
class Matrix:
    """Rows of numbers.

    Args:
        value: the rows.
        tolerance: how far each number may be away; 0 for whole numbers.
    """

    value: tuple[tuple[float, ...], ...]
    tolerance: float = 0.0

    @property
    def form(self) -> str:
        """How it is typed."""
        near = f"; each may be off by {self.tolerance:g}" if self.tolerance else ""
        return f'the rows with ";" between them, for example 1 2; 3 4{near}'

    @property
    def text(self) -> str:
        """The rows with ; between them."""
        return "; ".join(" ".join(map(decimal_text, row)) for row in self.value)

    def is_right(self, typed: str) -> bool:
        """Return whether it has the same shape and numbers."""
        if len(typed) > _LONGEST:
            raise UnreadableError(f"Type {self.form}.")
        lines = re.sub(r"\]\s*,?\s*\[", ";", typed).strip("[]; \t").split(";")
        if self._are_right([re.split(r"[\s,]+", line.strip()) for line in lines]):
            return True
        # A comma may be that before the decimals, too; then only blanks are between numbers.
        words = [line.split() for line in lines]
        is_decimal = all(re.fullmatch(r"[^,]+(,\d+)?", word) for row in words for word in row)
        return is_decimal and self._are_right([[w.replace(",", ".") for w in row] for row in words])

    def _are_right(self, words: Sequence[Sequence[str]]) -> bool:
        rows = [[_number(word, self.form) for word in row] for row in words]
        if [len(row) for row in rows] != [len(row) for row in self.value]:
            return False
        pairs = zip(rows, self.value, strict=True)
        return all(
            abs(given - right) <= self.tolerance + _ROUNDING
            for row, expected in pairs
            for given, right in zip(row, expected, strict=True)
        )


@dataclass(frozen=True)
class Names(_Exact):
    """A set of names, in any order.

    Args:
        right: the names.
        allowed: all names that may be typed.
    """

    right: tuple[str, ...]
    allowed: tuple[str, ...]

    @property
    def form(self) -> str:
        """How they are typed."""
        return "the names with commas between them"

    @property
    def text(self) -> str:
        """The names with commas between them."""
        return ", ".join(self.right)

    @property
    def value(self) -> list[str]:
        """The names."""
        return list(self.right)

    def is_right(self, typed: str) -> bool:
        """Return whether these are the same names."""
        names = {word for word in re.split(r"[\s,;]+", typed.strip().lower()) if word} - {"and"}
        unknown = names - set(self.allowed)
        if unknown or not names:
            raise UnreadableError(f"Type names out of {', '.join(self.allowed)}.")
        return names == set(self.right)


@dataclass(frozen=True)
class Choice(_Exact):
    """One of several sentences, by its letter.

    Args:
        options: the sentences; the first is a, the second b, ...
        right: position of the right one.
    """

    options: tuple[str, ...]
    right: int

    @property
    def form(self) -> str:
        """How it is typed."""
        return f"one of the letters {', '.join(self.letters)}"

    @property
    def letters(self) -> str:
        """The letters of the options."""
        return "abcdef"[: len(self.options)]

    @property
    def text(self) -> str:
        """The letter and the sentence."""
        return f"{self.value}) {self.options[self.right]}"

    @property
    def value(self) -> str:
        """The letter."""
        return self.letters[self.right]

    def is_right(self, typed: str) -> bool:
        """Return whether it is the right letter."""
        letter = typed.strip().lower().strip("().")
        if len(letter) != 1 or letter not in self.letters:
            raise UnreadableError(f"Type {self.form}.")
        return letter == self.value


def decimal_text(value: float) -> str:
    """Return a number with at most four decimals.

    >>> decimal_text(0.75), decimal_text(2 / 3), decimal_text(-3.0)
    ('0.75', '0.6667', '-3')
    """
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _number(word: str, form: str) -> float:
    text = word.replace(*_MINUS)
    try:
        if not _NUMBER.fullmatch(text):
            raise ValueError
        if text.endswith("%"):
            return float(text[:-1]) / 100
        return float(Fraction(text)) if "/" in text else float(text)
    except (ValueError, ZeroDivisionError):
        raise UnreadableError(f"Type {form}.") from None


def number_rows(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Return the rows as the value of a `Matrix`, with whole numbers as integers."""
    return tuple(tuple(int(v) if float(v).is_integer() else float(v) for v in r) for r in rows)
