"""How a model does on worsened images: the accuracy for each corruption and strength."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.evaluation.corruptions import CORRUPTIONS, NUM_STRENGTHS, all_corrupted
from cnnkit.evaluation.intervals import wilson_interval
from cnnkit.files import write_csv
from cnnkit.tables import table_text

_COLUMNS = (
    *("corruption", "strength", "number", "meaning", "images", "errors"),
    *("accuracy", "accuracy_low", "accuracy_high"),
)


@dataclass(frozen=True, eq=False)
class Robustness:
    """The answers of a model to worsened copies of images with known labels.

    Args:
        clean_accuracy: on the images as they are.
        is_correct: (num_images, kinds, strengths) booleans, in the order of `CORRUPTIONS`.
        example: one of the images, uint8 (height, width, channels), to show what the strengths are.
    """

    clean_accuracy: float
    is_correct: NDArray
    example: NDArray

    @cached_property
    def accuracies(self) -> dict[str, list[float]]:
        """The accuracy for each strength, weakest first, by corruption."""
        return dict(zip(CORRUPTIONS, self.is_correct.mean(axis=0).tolist(), strict=True))

    @property
    def mean_accuracy(self) -> float:
        """The mean over all corruptions and strengths."""
        return float(self.is_correct.mean())

    def as_dict(self) -> dict[str, Any]:
        """Return the accuracies, ready for JSON."""
        return {
            "clean_accuracy": self.clean_accuracy,
            "mean_accuracy": self.mean_accuracy,
            "accuracy": self.accuracies,
            "numbers": {kind: list(each.numbers) for kind, each in CORRUPTIONS.items()},
        }

    def text(self) -> str:
        """Return a table with one row per corruption, the one that harms most first."""
        strengths = [f"strength {number}" for number in range(1, NUM_STRENGTHS + 1)]
        columns = ["corruption", *strengths, "mean"]
        rows = [
            [kind, *(f"{value:.4f}" for value in (*values, float(np.mean(values))))]
            for kind, values in sorted(self.accuracies.items(), key=lambda item: sum(item[1]))
        ]
        title = (
            f"accuracy on worsened images: {self.mean_accuracy:.4f} on average, "
            f"{self.clean_accuracy:.4f} on the images as they are"
        )
        return table_text(columns, rows, right=columns[1:], title=title)

    def write(self, folder: Path) -> None:
        """Write the table, a plot of it, and one image with all corruptions."""
        from cnnkit.plots.robustness_plot import plot_corrupted_image, plot_robustness

        write_csv(folder / "corruptions.csv", _COLUMNS, self._rows())
        plot_robustness(self.accuracies, self.clean_accuracy, folder / "corruptions.png")
        copies = all_corrupted(self.example).reshape(
            len(CORRUPTIONS), NUM_STRENGTHS, *self.example.shape
        )
        examples = {
            kind: ([f"{number:g}" for number in each.numbers], row)
            for (kind, each), row in zip(CORRUPTIONS.items(), copies, strict=True)
        }
        plot_corrupted_image(self.example, examples, folder / "corruption_examples.png")

    def _rows(self) -> Iterator[dict[str, Any]]:
        total, errors = len(self.is_correct), (~self.is_correct).sum(axis=0).tolist()
        for (kind, each), wrongs in zip(CORRUPTIONS.items(), errors, strict=True):
            for strength, wrong in enumerate(wrongs, start=1):
                accuracy = 1 - wrong / total
                low, high = wilson_interval(accuracy, total)
                yield {
                    "corruption": kind,
                    "strength": strength,
                    "number": each.numbers[strength - 1],
                    "meaning": each.meaning,
                    "images": total,
                    "errors": wrong,
                    "accuracy": f"{accuracy:.6g}",
                    "accuracy_low": f"{low:.6g}",
                    "accuracy_high": f"{high:.6g}",
                }
