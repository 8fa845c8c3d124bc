"""Deal units to the folds of a cross-validation."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence

from cnnkit.data.split.stratified import draw_order
from cnnkit.data.split.units import Unit, class_sizes


def deal_units(
    units: Sequence[Unit], num_folds: int, seed: int, kept: Sequence[int | None]
) -> list[int]:
    """Deal units to folds of about the same size, overall and for each class.

    Large units come first, units of the same size in the order of a hash. Each goes to the fold
    that has the least of its classes. Without groups, the sizes of a class in two folds differ by
    at most one content.

    Args:
        units: what is dealt.
        num_folds: how many folds.
        seed: another one deals differently.
        kept: the fold of units that have one already and do not move, None for the others.

    Returns:
        The fold of each unit, from 0.
    """
    total, _ = class_sizes(units)
    counts: list[Counter[str]] = [Counter() for _ in range(num_folds)]
    fold_of = {index: fold for index, fold in enumerate(kept) if fold is not None}
    for index, fold in fold_of.items():
        counts[fold].update(dict(units[index].counts))
    sizes = [sum(count.values()) for count in counts]

    def fullness(unit: Unit, fold: int) -> tuple[int, float, int, int]:
        # First to a fold that has none of a class, then to the one with the smallest share.
        absent = sum(not counts[fold][label] for label, _ in unit.counts)
        share = sum(counts[fold][label] * number / total[label] for label, number in unit.counts)
        # Size and number decide between folds that are otherwise equal.
        return -absent, share, sizes[fold], fold

    for index in _large_first(units, seed):
        if index not in fold_of:
            unit = units[index]
            fold = min(range(num_folds), key=functools.partial(fullness, unit))
            counts[fold].update(dict(unit.counts))
            sizes[fold] += len(unit.contents)
            fold_of[index] = fold
    return [fold_of[index] for index in range(len(units))]


def _large_first(units: Sequence[Unit], seed: int) -> list[int]:
    # The small units come last, because they can even out what the large ones left.
    return sorted(draw_order(units, seed), key=lambda index: -len(units[index].contents))


def too_few_for_folds(units: Sequence[Unit], folds: Sequence[int], needed: int) -> list[str]:
    """Return the classes that are in fewer folds than needed."""
    held = {
        (label, fold) for unit, fold in zip(units, folds, strict=True) for label, _ in unit.counts
    }
    number = Counter(label for label, _ in held)
    return sorted(label for label in number if number[label] < needed)
