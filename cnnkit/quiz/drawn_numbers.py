"""Random choices that are the same on every machine and in every version of Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

_Option = TypeVar("_Option")


class Draw:
    """Choices that follow from a seed.

    Of Python's generator only `random()` is used: its documentation promises that this sequence
    stays the same for a seed, but not those of `randrange`, `choice` and `shuffle`.

    Args:
        seed: a whole number of at least 0.
    """

    def __init__(self, seed: int) -> None:
        self._generator = random.Random(seed)

    def whole(self, least: int, most: int) -> int:
        """Return a whole number from `least` to `most`, both included."""
        return least + int(self._generator.random() * (most - least + 1))

    def pick(self, options: Sequence[_Option]) -> _Option:
        """Return one of the options."""
        return options[self.whole(0, len(options) - 1)]

    def shuffled(self, options: Sequence[_Option]) -> list[_Option]:
        """Return the options in another order."""
        left = list(options)
        return [left.pop(self.whole(0, len(left) - 1)) for _ in options]

    def matrix(self, rows: int, columns: int, least: int, most: int) -> list[list[int]]:
        """Return rows of whole numbers from `least` to `most`."""
        return [[self.whole(least, most) for _ in range(columns)] for _ in range(rows)]
