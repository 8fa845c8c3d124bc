"""Images by class and split, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnkit.metrics import MOST_CLASSES_IN_FULL
from cnnkit.tables import table_text
from cnnkit.text import shown

_AT_EACH_END = 20  # of the classes by their size, if there are too many to list


def count_table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return a row per class and one for all; of many classes, only the largest and smallest.

    Args:
        counts: number of images by split and class; every split has all classes.

    >>> print(count_table({"train": {"cat": 8, "dog": 9}, "test": {"cat": 2, "dog": 1}}))
    class  train  test
    cat        8     2
    dog        9     1
    all       17     3
    """
    names = list(next(iter(counts.values())))
    rows = [_row(name, counts) for name in names]
    if len(names) > MOST_CLASSES_IN_FULL:
        # Stable, so classes of the same size stay in the order of their labels.
        ordered = sorted(names, key=lambda name: -sum(count[name] for count in counts.values()))
        left = f"({len(names) - 2 * _AT_EACH_END:,} more; --json lists them)"
        rows = [
            *(_row(name, counts) for name in ordered[:_AT_EACH_END]),
            [left, *("" for _ in counts)],
            *(_row(name, counts) for name in ordered[-_AT_EACH_END:]),
        ]
    rows.append(["all", *(f"{sum(count.values()):,}" for count in counts.values())])
    return table_text(["class", *counts], rows, right=list(counts))


def _row(name: str, counts: Mapping[str, Mapping[str, int]]) -> Sequence[str]:
    return [shown(name), *(f"{count[name]:,}" for count in counts.values())]
