"""Draw units into validation and test, so that every class gets its fraction in each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from cnnkit.data.split.units import Unit, class_sizes

Counts = Mapping[str, int]

# Test is drawn first, so that it does not depend on the fraction of validation.
_DRAWN_IN_TURN = ("test", "validation")
HELD_OUT = ("validation", "test")


def draw_order(units: Sequence[Unit], seed: int) -> list[int]:
    """Return the indices of the units, ordered by a hash of (seed, key).

    The hash of a unit depends on no other unit, so adding images does not shuffle the rest.
    """

    def drawn(index: int) -> bytes:
        key = f"{seed} {units[index].key}"
        return hashlib.sha256(key.encode(errors="surrogateescape")).digest()

    # A hash, not a shuffle: the place of an image does not depend on which others there are.
    return sorted(range(len(units)), key=drawn)


def split_units(
    units: Sequence[Unit],
    fractions: Mapping[str, float],
    seed: int,
    kept: Sequence[str | None] | None = None,
    *,
    allow_missing_classes: bool = False,
) -> tuple[list[str], set[str]]:
    """Give each unit its split; each class gets about max(1, round(fraction * its contents)).

    Units are visited in the order of a hash, once for test and once for validation. A unit is taken
    if that brings the numbers of contents of its classes, summed up, nearer to their targets; the
    rest is train. A split that then lacks a class gets the unit that fits best.

    Args:
        units: what is split.
        fractions: of `test` and `validation`, as far as they are to be drawn.
        seed: another one draws other units.
        kept: the split of units that have one already and do not move, None for the others.
        allow_missing_classes: continue without the classes that cannot be in every split.

    Returns:
        The split of each unit, and the classes with too few contents or units to be in every split.
        These stay in train. If there are such classes and they are not allowed, no splits.
    """
    targets, too_few = _targets(units, fractions)
    order = draw_order(units, seed)
    while not too_few or allow_missing_classes:
        draw = _Draw(units, kept or [None] * len(units), targets, too_few)
        lacking = draw.run(order)
        if not lacking:
            return draw.splits(), too_few
        too_few |= lacking  # once more, without these classes
    return [], too_few


def _targets(
    units: Sequence[Unit], fractions: Mapping[str, float]
) -> tuple[dict[str, Counts], set[str]]:
    """Return how many contents of each class a split should have, and the classes too small."""
    contents, holders = class_sizes(units)
    targets: dict[str, Counts] = {
        split: {label: max(1, round(fractions[split] * contents[label])) for label in contents}
        for split in _DRAWN_IN_TURN
        if split in fractions
    }
    too_few = {
        label
        for label in contents
        if targets
        and (
            sum(target[label] for target in targets.values()) >= contents[label]
            # Each split needs a unit with the class, and so does train.
            or holders[label] <= len(targets)
        )
    }
    return targets, too_few


class _Draw:
    """One attempt to split the units; those with a class of `too_few` stay in train."""

    def __init__(
        self,
        units: Sequence[Unit],
        kept: Sequence[str | None],
        targets: Mapping[str, Counts],
        too_few: set[str],
    ) -> None:
        self._units = units
        self._split_of: dict[int, str] = {}  # of each unit that has one so far
        self._targets = targets
        self._too_few = too_few
        self._labels = sorted(set(next(iter(targets.values()), ())) - too_few)
        self._counts: dict[str, Counter[str]] = {split: Counter() for split in ("train", *targets)}
        for index, split in enumerate(kept):
            if split is not None:
                self._put(index, split)

    def splits(self) -> list[str]:
        """Return the split of each unit, after `run`."""
        return [self._split_of[index] for index in range(len(self._units))]

    def run(self, order: Sequence[int]) -> set[str]:
        """Split the units, and return the classes that a split still lacks."""
        free = [index for index in order if index not in self._split_of]
        movable = [i for i in free if not self._holds_too_few(i)] if self._too_few else free
        for split in self._targets:
            self._take(split, movable)
        for index in free:
            if index not in self._split_of:
                self._put(index, "train")
        lacking = self._lacking()
        holding = self._places_by_class(movable, {label for _, label in lacking})
        return {label for split, label in lacking if not self._fill(split, label, holding[label])}

    def _places_by_class(
        self, movable: Sequence[int], labels: set[str]
    ) -> dict[str, list[tuple[int, int]]]:
        """Return (place in the order, index) of the movable units with each class."""
        found: dict[str, list[tuple[int, int]]] = {label: [] for label in labels}
        for place, index in enumerate(movable):
            for label, _ in self._units[index].counts:
                if label in found:
                    found[label].append((place, index))
        return found

    def _holds_too_few(self, index: int) -> bool:
        return any(label in self._too_few for label, _ in self._units[index].counts)

    def _take(self, split: str, movable: Sequence[int]) -> None:
        target, count = self._targets[split], self._counts[split]
        open_classes = sum(target[label] > count[label] for label in self._labels)
        for index in movable:
            if not open_classes:
                return
            if index not in self._split_of and self._misfit_change(split, index, 1) < 0:
                for label, number in self._units[index].counts:
                    if count[label] < target[label] <= count[label] + number:
                        open_classes -= 1
                self._put(index, split)

    def _misfit_change(self, split: str, index: int, sign: int) -> int:
        """Return how the distance to the split's targets changes if a unit is added or removed.

        Args:
            split: which one.
            index: of the unit.
            sign: 1 if the unit is added, -1 if it is removed.
        """
        if split not in self._targets:
            return 0
        target, count, change = self._targets[split], self._counts[split], 0
        for label, number in self._units[index].counts:
            gap = target[label] - count[label]
            change += abs(gap - sign * number) - abs(gap)
        return change

    def _put(self, index: int, split: str) -> None:
        self._split_of[index] = split
        self._count(index, split)

    def _count(self, index: int, split: str, sign: int = 1) -> None:
        if split in self._counts:
            for label, number in self._units[index].counts:
                self._counts[split][label] += sign * number

    def _lacking(self) -> list[tuple[str, str]]:
        return [
            (split, label)
            for split, count in self._counts.items()
            for label in self._labels
            if not count[label]
        ]

    def _fill(self, split: str, label: str, holding: Sequence[tuple[int, int]]) -> bool:
        """Move the unit that fits best into a split, so that no other split loses a class.

        Args:
            split: which one.
            label: the class that it lacks.
            holding: (place in the order, index) of the units with this class that may move.

        Returns:
            Whether the split now has the class.
        """
        if self._counts[split][label]:
            return True
        fitting = [
            (self._cost_of_move(i, split), place, i)
            for place, i in holding
            if self._split_of[i] != split and self._may_leave(i)
        ]
        if not fitting:
            return False
        # Of several that fit equally well, the first in the order of the hash.
        index = min(fitting)[2]
        self._count(index, self._split_of[index], -1)
        self._put(index, split)
        return True

    def _cost_of_move(self, index: int, split: str) -> int:
        before = self._split_of[index]
        return self._misfit_change(split, index, 1) + self._misfit_change(before, index, -1)

    def _may_leave(self, index: int) -> bool:
        count = self._counts[self._split_of[index]]
        return all(count[label] > number for label, number in self._units[index].counts)
