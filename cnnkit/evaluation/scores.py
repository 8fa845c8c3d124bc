"""The scores of a model on one set of images: the numbers, a table of them, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cnnkit.files import write_csv, write_json
from cnnkit.metrics import all_metrics
from cnnkit.plots import plot_confusion_matrix
from cnnkit.prediction import Prediction, csv_header, csv_row
from cnnkit.tables import table_text
from cnnkit.text import shown


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The probabilities that a model gave to images with known labels, and the scores for them.

    Args:
        folder: where `write` puts the files.
        paths: one per image, as in split.csv or in the CSV of the data.
        labels: (num_images,) integers.
        probabilities: (num_images, num_classes).
        class_names: ordered by label.
    """

    folder: Path
    paths: Sequence[str]
    labels: NDArray
    probabilities: NDArray
    class_names: tuple[str, ...]

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Every number of `cnnkit.metrics.all_metrics`."""
        return all_metrics(
            labels=self.labels, probabilities=self.probabilities, class_names=self.class_names
        )

    def write(self) -> None:
        """Write predictions.csv, confusion_matrix.png and metrics.json into the folder."""
        rows = [
            csv_row(
                Prediction(path, self.class_names, probabilities), label=self.class_names[label]
            )
            for path, label, probabilities in zip(
                self.paths, self.labels, self.probabilities, strict=True
            )
        ]
        header = csv_header(self.class_names, label=True)
        write_csv(self.folder / "predictions.csv", header, rows)
        plot_confusion_matrix(
            self.metrics["confusion_matrix"],
            self.class_names,
            self.folder / "confusion_matrix.png",
        )
        # Last, so that a folder with a metrics.json has the other files too.
        write_json(self.folder / "metrics.json", self.metrics)

    def as_dict(self) -> dict[str, Any]:
        """Return the folder and the metrics, ready for JSON."""
        return {"folder": str(self.folder), **self.metrics}

    def text(self) -> str:
        """Return the totals, and a table with one row per class."""
        totals = [f"{'images':<18} {self.metrics['num_images']}"]
        totals += [
            f"{name:<18} {value:.4f}"
            for name, value in self.metrics.items()
            if isinstance(value, float)
        ]
        numbers = ["precision", "recall", "f1", "support"]
        rows = [
            [
                shown(name),
                *(f"{values[key]:.4f}" for key in numbers[:-1]),
                str(values["support"]),
            ]
            for name, values in self.metrics["per_class"].items()
        ]
        return "\n".join([*totals, "", table_text(["class", *numbers], rows, right=numbers)])
