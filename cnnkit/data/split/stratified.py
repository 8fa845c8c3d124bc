"""Units of images and the fraction of each part enter; the part of each unit leaves."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from cnnkit.data.split.units import Unit, class_sizes

Counts = Mapping[str, int]

_TAKEN_IN_TURN = ("test", "validation")  # test does not depend on validation's fraction


def draw_order(units: Sequence[Unit], seed: int) -> list[int]:
    """Return the indices of the units in the order of a hash of (seed, key).

    A unit's place depends on no other unit, so adding images does not shuffle the rest.
    """

    def drawn(index: int) -> bytes:
        key = f"{seed} {units[index].key}"
        return hashlib.sha256(key.encode(errors="surrogateescape")).digest()

    return sorted(range(len(units)), key=drawn)


def cut_units(
    units: Sequence[Unit],
    fractions: Mapping[str, float],
    seed: int,
    kept: Sequence[str | None] | None = None,
    *,
    allow_missing_classes: bool = False,
) -> tuple[list[str], set[str]]:
    """Give each unit its part, class by class near max(1, round(fraction * contents)).

    Units are walked in the order of a hash, once for test and once for validation. A unit is taken
    if that brings the contents of all its classes together nearer to what the part should have;
    the rest is train. A part that then lacks a class gets the unit that fits best.

    Args:
        units: what is divided.
        fractions: of `test` and `validation`, as far as they are to be cut.
        seed: another one draws other units.
        kept: the part of units that have one already, and do not move.
        allow_missing_classes: go on without the classes that cannot be in every part.

    Returns:
        The part of each unit, and the classes with too few contents or units to be in every part.
        Theirs stay in train; where missing classes are not allowed the parts are of no use.
    """
    targets, too_few = _targets(units, fractions)
    order = draw_order(units, seed)
    while True:
        cut = _Cut(units, list(kept or [None] * len(units)), targets, too_few)
        if too_few and not allow_missing_classes:
            return cut.parts, too_few
        lacking = cut.run(order)
        if not lacking:
            return cut.parts, too_few
        too_few |= lacking


def _targets(
    units: Sequence[Unit], fractions: Mapping[str, float]
) -> tuple[dict[str, Counts], set[str]]:
    """Return the contents that each part should have of each class, and the classes too small."""
    contents, holders = class_sizes(units)
    targets = {
        part: {label: max(1, round(fractions[part] * contents[label])) for label in contents}
        for part in _TAKEN_IN_TURN
        if part in fractions
    }
    too_few = {
        label
        for label in contents
        if targets
        and (
            sum(target[label] for target in targets.values()) >= contents[label]
            or holders[label] <= len(targets)
        )
    }
    return targets, too_few


class _Cut:
    """One attempt to divide; units with a class of `too_few` stay in train."""

    def __init__(
        self,
        units: Sequence[Unit],
        parts: list[str | None],
        targets: Mapping[str, Counts],
        too_few: set[str],
    ) -> None:
        self._units = units
        self.parts = parts
        self._targets = targets
        self._too_few = too_few
        self._labels = sorted(set(next(iter(targets.values()), ())) - too_few)
        self._counts: dict[str, Counter[str]] = {part: Counter() for part in ("train", *targets)}
        for index, part in enumerate(parts):
            if part is not None:
                self._count(index, part)

    def run(self, order: Sequence[int]) -> set[str]:
        """Divide, and return the classes that a part still lacks."""
        free = [index for index in order if self.parts[index] is None]
        movable = [i for i in free if not self._holds_too_few(i)] if self._too_few else free
        for part in self._targets:
            self._take(part, movable)
        for index in free:
            if self.parts[index] is None:
                self._put(index, "train")
        return {label for part, label in self._lacking() if not self._fill(part, label, movable)}

    def _holds_too_few(self, index: int) -> bool:
        return any(label in self._too_few for label, _ in self._units[index].counts)

    def _take(self, part: str, movable: Sequence[int]) -> None:
        target, count = self._targets[part], self._counts[part]
        open_classes = sum(target[label] > count[label] for label in self._labels)
        for index in movable:
            if not open_classes:
                return
            if self.parts[index] is None and self._misfit_change(part, index, 1) < 0:
                for label, number in self._units[index].counts:
                    if count[label] < target[label] <= count[label] + number:
                        open_classes -= 1
                self._put(index, part)

    def _misfit_change(self, part: str, index: int, sign: int) -> int:
        """Return how the distance to the part's target changes with the unit added or removed."""
        if part not in self._targets:
            return 0
        target, count, change = self._targets[part], self._counts[part], 0
        for label, number in self._units[index].counts:
            gap = target[label] - count[label]
            change += abs(gap - sign * number) - abs(gap)
        return change

    def _put(self, index: int, part: str) -> None:
        self.parts[index] = part
        self._count(index, part)

    def _count(self, index: int, part: str, sign: int = 1) -> None:
        if part in self._counts:
            for label, number in self._units[index].counts:
                self._counts[part][label] += sign * number

    def _lacking(self) -> list[tuple[str, str]]:
        return [
            (part, label)
            for part, count in self._counts.items()
            for label in self._labels
            if not count[label]
        ]

    def _fill(self, part: str, label: str, movable: Sequence[int]) -> bool:
        """Move the unit into the part that fits best and leaves no other part without a class.

        Returns:
            Whether the part now has the class.
        """
        if self._counts[part][label]:
            return True
        fitting = [
            (self._misfit_change(part, i, 1) + self._misfit_change(self.parts[i], i, -1), place, i)
            for place, i in enumerate(movable)
            if self.parts[i] != part and self._may_leave(i) and self._has(i, label)
        ]
        if not fitting:
            return False
        index = min(fitting)[2]
        self._count(index, self.parts[index], -1)
        self._put(index, part)
        return True

    def _has(self, index: int, label: str) -> bool:
        return any(name == label for name, _ in self._units[index].counts)

    def _may_leave(self, index: int) -> bool:
        count = self._counts[self.parts[index]]
        return all(count[label] > number for label, number in self._units[index].counts)
