"""The list of probably mislabelled images: a CSV that a person fills in, and a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.corrected_labels import HASH, NEW_LABEL
from cnnkit.files import write_csv
from cnnkit.label_review.confident_learning import confidently_other, self_confidence
from cnnkit.label_review.out_of_sample import OutOfSample
from cnnkit.tables import table_text
from cnnkit.text import count_of, shown

_MOST_DRAWN = 60
_MOST_LINES = 10  # of the table
_COLUMNS = (
    *("rank", "path", "label", NEW_LABEL, "suggestion", "label_probability"),
    *("suggestion_probability", "flagged", "split", HASH),
)


@dataclass(frozen=True, eq=False)
class Review:
    """All images, the most probably mislabelled first.

    Args:
        found: the images with their probabilities.
        file: the CSV.
        sheet: the picture.
    """

    found: OutOfSample
    file: Path
    sheet: Path

    @cached_property
    def order(self) -> NDArray:
        """(num_images,) positions of the images, the one with the least probable label first."""
        return np.argsort(self._own, kind="stable")

    @cached_property
    def is_flagged(self) -> NDArray:
        """(num_images,) whether confident learning takes the label for wrong."""
        return confidently_other(labels=self.found.labels, probabilities=self.found.probabilities)

    @cached_property
    def _own(self) -> NDArray:
        return self_confidence(labels=self.found.labels, probabilities=self.found.probabilities)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per image with the columns of the CSV."""
        return [self._row(rank, index) for rank, index in enumerate(self.order, 1)]

    def _row(self, rank: int, index: int) -> dict[str, Any]:
        images, probabilities = self.found.images, self.found.probabilities[index]
        record, best = images.records[index], int(probabilities.argmax())
        return {
            "rank": rank,
            "path": record.path,
            "label": images.labels[index],
            NEW_LABEL: "",
            "suggestion": images.class_names[best],
            "label_probability": f"{self._own[index]:.6g}",
            "suggestion_probability": f"{probabilities[best]:.6g}",
            "flagged": "yes" if self.is_flagged[index] else "",
            "split": record.split or "",
            HASH: images.hashes[index],
        }

    def write(self) -> None:
        """Write the CSV and the contact sheet."""
        rows = self.rows()
        write_csv(self.file, _COLUMNS, rows)
        from cnnkit.label_review.review_sheet import draw_review

        records = self.found.images.records
        files = [records[index].file for index in self.order[:_MOST_DRAWN]]
        draw_review(rows[:_MOST_DRAWN], files, self.sheet)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, the files and the flagged images, ready for JSON."""
        return {
            "num_images": len(self.order),
            "num_flagged": int(self.is_flagged.sum()),
            "method": self.found.method,
            "file": str(self.file),
            "sheet": str(self.sheet),
            "flagged": [row for row in self.rows() if row["flagged"]],
        }

    def text(self) -> str:
        """Return the counts and a table of the first images."""
        return "\n".join([*self._summary(), "", self._table(self.rows()[:_MOST_LINES])])

    def _summary(self) -> list[str]:
        flagged = int(self.is_flagged.sum())
        return [
            f"{count_of(len(self.order), 'image')}, {self.found.method}",
            f"{count_of(flagged, 'label')} probably wrong, by confident learning (flagged in the "
            "list); wrong ones may follow after them",
        ]

    def _table(self, rows: Sequence[dict[str, Any]]) -> str:
        numbers = ["rank", "p(label)", "p(suggestion)"]
        cells = [
            [
                str(row["rank"]),
                shown(row["path"]),
                shown(row["label"]),
                f"{float(row['label_probability']):.4f}",
                shown(row["suggestion"]),
                f"{float(row['suggestion_probability']):.4f}",
            ]
            for row in rows
        ]
        columns = ["rank", "path", "label", "p(label)", "suggestion", "p(suggestion)"]
        return table_text(columns, cells, right=numbers)
