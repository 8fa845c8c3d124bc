"""What `cnnkit data split` wrote, as text and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnkit.data.count_table import count_table
from cnnkit.data.split.hashed_images import Division
from cnnkit.tables import table_text
from cnnkit.text import count_of, shown


@dataclass(frozen=True)
class Manifests:
    """The manifests of one data set: a single one, or one per fold."""

    divisions: Sequence[Division]

    def text(self) -> str:
        """Return the number of images per class and split, or per fold and split."""
        if len(self.divisions) == 1:
            (division,) = self.divisions
            return f"{count_table(division.counts)}\n{_changes(division)}"
        return _fold_table(self.divisions)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"manifests": [division.as_dict() for division in self.divisions]}


def _changes(division: Division) -> str:
    """Return how the manifest differs from an earlier one."""
    kept = count_of(division.kept, "image stays in its split", "images stay in their splits")
    changes = [
        kept,
        f"{count_of(division.new, 'is', 'are')} new",
        f"{count_of(division.gone, 'is', 'are')} gone",
    ]
    if division.relabelled:
        changes.append(f"{division.relabelled:,} changed class")
    return f"{shown(str(division.file))}: {', '.join(changes)}"


def _fold_table(divisions: Sequence[Division]) -> str:
    splits = list(divisions[0].counts)
    numbers = [*splits, "kept", "new", "gone"]
    rows = []
    for each in divisions:
        counts = [sum(each.counts[split].values()) for split in splits]
        cells = [*counts, each.kept, each.new, each.gone]
        rows.append([shown(str(each.file)), *(f"{cell:,}" for cell in cells)])
    return table_text(["file", *numbers], rows, right=numbers)
