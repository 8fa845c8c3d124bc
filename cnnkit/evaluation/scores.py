"""The scores of a model on one set of images: the numbers, a table of them, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.errors import CnnkitError
from cnnkit.evaluation.all_metrics import HEADLINE_METRICS, all_metrics
from cnnkit.evaluation.details import DETAIL_FILES, Details
from cnnkit.evaluation.images_of_table import DATA_FOLDER
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import (
    CLASSES_FILE,
    PROBABILITIES_FILE,
    write_predictions_file,
)
from cnnkit.files import write_csv, write_json
from cnnkit.metrics import MOST_CLASSES_IN_FULL, CalibrationBins, confusion_matrix, most_confused
from cnnkit.tables import table_text
from cnnkit.text import shown

_MATRIX_FILE = "confusion_matrix.csv"
_PLOTS = ("confusion_matrix", "confusion_matrix_normalized", "reliability")
_MOST_CONFUSED = 30  # pairs of classes in metrics.json
_MOST_ROWS = 20  # of the table
# Each of them, with few classes or many.
RESULT_FILES = (
    *("predictions.csv", PROBABILITIES_FILE, CLASSES_FILE),
    *(_MATRIX_FILE, "metrics.json"),
    *(f"{name}.{kind}" for name in _PLOTS for kind in ("png", "svg")),
    *DETAIL_FILES,
)


class NotWrittenError(CnnkitError):
    """Images are scored, but the results cannot be written.

    Args:
        evaluation: the results.
        error: why they cannot be written.
    """

    kind = "file"

    def __init__(self, evaluation: Evaluation, error: OSError) -> None:
        super().__init__(
            f"The results cannot be written to {shown(str(evaluation.folder))}: "
            f"{error.strerror or error}. Give another folder: --output FOLDER."
        )
        self.evaluation = evaluation


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The probabilities that a model gave to images with known labels, and the scores for them.

    Args:
        folder: where `write` puts the files; None if it is not called.
        predictions: the images (paths as in split.csv or in the CSV of the data), labels and
            probabilities.
        run_status: of the run, if a command scored it: finished, interrupted, ...
        notes: what was ignored or left out, in sentences.
        details: slices, galleries and the like; None if only the numbers are wanted.
        baseline: another run's answers to the same images, if it is to be compared with.
        contents: sha256 of each image; None if they are not known.
        data_folder: the folder that the paths of other images than the run's own are relative to.
    """

    folder: Path | None
    predictions: Predictions
    run_status: str | None = None
    notes: tuple[str, ...] = ()
    details: Details | None = None
    baseline: ComparedRun | None = None
    contents: Sequence[str] | None = None
    data_folder: Path | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in label order."""
        return self.predictions.class_names

    @property
    def has_many_classes(self) -> bool:
        """Whether the matrix and the probabilities of all classes have files of their own."""
        return len(self.class_names) > MOST_CLASSES_IN_FULL

    @cached_property
    def confusion_matrix(self) -> NDArray:
        """Counts (num_classes, num_classes): a row per true class, a column per predicted one."""
        return confusion_matrix(
            labels=self.predictions.labels,
            predictions=self.predictions.predicted,
            num_classes=len(self.class_names),
        )

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Every number of `all_metrics`, with 95% intervals.

        If there are many classes: the commonest confusions, and the file with the whole matrix.
        """
        metrics = all_metrics(self.predictions)
        if self.has_many_classes:
            pairs = most_confused(self.confusion_matrix, _MOST_CONFUSED)
            metrics["confusion_matrix_file"] = _MATRIX_FILE
            metrics["most_confused"] = [self._confusion(*pair) for pair in pairs]
        if self.data_folder is not None:
            metrics[DATA_FOLDER] = str(self.data_folder)
        return metrics

    def write(self, *, in_full: bool = True) -> None:
        """Write predictions.csv, metrics.json and the plots into the folder.

        If there are many classes, write probabilities.npy, classes.txt and confusion_matrix.csv
        too.

        Args:
            in_full: all plots, as PNG and SVG. Otherwise, at the end of a training, the confusion
                matrix in counts and the reliability diagram as PNG: drawing takes most of the time.
        """
        write_predictions_file(self.predictions, self.folder / "predictions.csv")
        if self.has_many_classes:
            pairs = np.argwhere(self.confusion_matrix).tolist()
            confusions = (self._confusion(*pair) for pair in pairs)
            write_csv(self.folder / _MATRIX_FILE, ("true", "predicted", "images"), confusions)
        self._draw(in_full)
        if self.details is not None:
            self.details.write(self.folder)
        # Last, so that a folder with a metrics.json has the other files too.
        write_json(self.folder / "metrics.json", self.metrics)

    def _draw(self, in_full: bool) -> None:
        # Not imported by those who only want the numbers.
        from cnnkit.plots.confusion_matrix import plot_confusion_matrix
        from cnnkit.plots.reliability_diagram import plot_reliability

        counts, normalized, reliability = (self.folder / f"{name}.png" for name in _PLOTS)
        plot_confusion_matrix(self.confusion_matrix, self.class_names, counts, svg=in_full)
        if in_full and not self.has_many_classes:
            plot_confusion_matrix(
                self.confusion_matrix, self.class_names, normalized, normalized=True
            )
        answers = self.predictions
        bins = CalibrationBins(answers.confidence, answers.is_correct)
        plot_reliability(bins, reliability, svg=in_full)

    def as_dict(self) -> dict[str, Any]:
        """Return the folder, the status of the run, the notes and the metrics, ready for JSON."""
        status = {} if self.run_status is None else {"run_status": self.run_status}
        details = {} if self.details is None else self.details.as_dict()
        folder = None if self.folder is None else str(self.folder)
        facts = {"folder": folder, **status, "notes": list(self.notes)}
        return {**facts, **self.metrics, **details}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values of Python."""
        return self.as_dict()

    def __getattr__(self, name: str) -> float | int | None:
        """Return a metric of all classes together: `evaluation.accuracy`; None if not defined."""
        if name in HEADLINE_METRICS and name in self.metrics:
            return self.metrics[name]
        raise AttributeError(f"an evaluation has no {name}", name=name, obj=self)

    def interval(self, metric: str) -> tuple[float, float]:
        """Return the 95% interval of a metric of all classes together.

        Raises:
            KeyError: there is no such metric, or it has no interval.
        """
        low, high = self.metrics["intervals"][metric]
        return low, high

    def text(self) -> str:
        """Return the totals, and a table with one row per class; of many classes, the worst."""
        numbers = ["precision", "recall", "f1", "support"]
        per_class = list(self.metrics["per_class"].items())
        title, more = "", []
        if self.has_many_classes:
            # The f1 of a class without images says nothing about the model.
            with_images = [item for item in per_class if item[1]["support"]]
            worst = sorted(with_images, key=lambda item: item[1]["f1"])[:_MOST_ROWS]
            left, per_class = len(per_class) - len(worst), worst
            title = f"the {len(per_class)} classes with the lowest f1:"
            where = "the JSON of --json"
            if self.folder is not None:
                where = shown(str(self.folder / "metrics.json"))
            more = [f"and {left:,} more in {where}"]
        rows = [
            [
                shown(name),
                *(f"{values[key]:.4f}" for key in numbers[:-1]),
                str(values["support"]),
            ]
            for name, values in per_class
        ]
        table = table_text(["class", *numbers], rows, right=numbers, title=title)
        details = ["", self.details.text()] if self.details is not None else []
        return "\n".join([self._headline_text(), "", table, *more, *details])

    def _headline_text(self) -> str:
        intervals = self.metrics["intervals"]
        rows = [["images", f"{self.metrics['num_images']:,}", ""]]
        for name in HEADLINE_METRICS:
            if name in self.metrics:
                value, ends = self.metrics[name], intervals.get(name)
                rows.append(
                    [
                        name,
                        "not defined" if value is None else f"{value:.4f}",
                        "" if ends is None else "{:.4f} to {:.4f}".format(*ends),
                    ]
                )
        return table_text(["metric", "value", "95% interval"], rows, right=["value"])

    def _confusion(self, true: int, predicted: int) -> dict[str, Any]:
        return {
            "true": self.class_names[true],
            "predicted": self.class_names[predicted],
            "images": int(self.confusion_matrix[true, predicted]),
        }
