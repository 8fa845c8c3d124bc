"""Score a cross-validation: mean and spread over the folds, and all test images together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from cnnkit.errors import UsageError
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.evaluation.scores import Evaluation
from cnnkit.runs.fold_runs import FoldRuns
from cnnkit.tables import table_text
from cnnkit.text import first_few, quoted, shown

SPLIT = "test"


@dataclass(frozen=True, eq=False)
class FoldEvaluation:
    """The scores of all folds of a cross-validation.

    Args:
        folds: the metrics of each fold on its test images, without those of single classes.
        pooled: the scores of all folds' test images together: every image once.
    """

    folds: Sequence[dict[str, float]]
    pooled: Evaluation

    @property
    def folder(self) -> Path:
        """Where the pooled results are."""
        return self.pooled.folder

    @property
    def run_folder(self) -> Path:
        """The folder of the cross-validation."""
        return self.folder.parent.parent

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the pooled test images, for requirements."""
        return self.pooled.metrics

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric over the folds."""
        return {name: fmean(fold[name] for fold in self.folds) for name in self._names}

    @property
    def spread(self) -> dict[str, float]:
        """The standard deviation of each metric over the folds, with n - 1."""
        return {name: stdev([fold[name] for fold in self.folds]) for name in self._names}

    @property
    def _names(self) -> list[str]:
        # A metric that is not defined for the images of a fold is missing there.
        names = [name for name, value in self.folds[0].items() if isinstance(value, float)]
        return [name for name in names if all(name in fold for fold in self.folds)]

    def text(self) -> str:
        """Return a table with mean, spread and each fold, and the next commands."""
        numbers = [f"fold {number}" for number in range(1, len(self.folds) + 1)]
        columns = ["mean", "spread", "pooled", *numbers]
        rows = [
            [
                name,
                *(f"{values[name]:.4f}" for values in (self.mean, self.spread, self.metrics)),
                *(f"{fold[name]:.4f}" for fold in self.folds),
            ]
            for name in self._names
            if self.metrics.get(name) is not None
        ]
        images = [str(len(self.pooled.predictions)), *(f"{x['num_images']:,}" for x in self.folds)]
        table = table_text(["", *columns], [*rows, ["images", "", "", *images]], right=columns)
        if self.pooled.details is not None:
            table += f"\n\n{self.pooled.details.text()}\n"
        name = quoted(self.run_folder)
        page = self.run_folder / "report.html"
        report = f"page  {shown(str(page))}\n" if page.is_file() else ""
        return (
            f"{table}\nrun   {shown(str(self.run_folder))}\n{report}"
            f"next  cnnkit compare {name} RUN\n"
            f"      cnnkit predict IMAGE --model {name}/fold1"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run": str(self.run_folder),
            "folder": str(self.folder),
            "mean": self.mean,
            "spread": self.spread,
            "folds": list(self.folds),
            "pooled": self.metrics,
            **(self.pooled.details.as_dict() if self.pooled.details is not None else {}),
        }


def evaluate_folds(folds: FoldRuns) -> FoldEvaluation:
    """Bring the test images of all folds together, and write the results into the folder.

    Raises:
        UsageError: a fold is not finished.
        DataError: the predictions of a fold cannot be read.
    """
    evaluation = Evaluation(folds.evaluation(SPLIT), answers_of_folds(folds))
    evaluation.write(in_full=False)
    return fold_evaluation(folds, evaluation)


def fold_evaluation(folds: FoldRuns, pooled: Evaluation) -> FoldEvaluation:
    """Return the scores of each fold, as run.json has them, with those of all together."""
    return FoldEvaluation([dict(run.info()["metrics"][SPLIT]) for run in folds.runs], pooled)


def answers_of_folds(folds: FoldRuns) -> Predictions:
    """Return the answers to the test images of all folds together.

    Raises:
        UsageError: a fold is not finished.
        DataError: the predictions of a fold cannot be read.
    """
    unfinished = [
        run.name
        for run in folds.runs
        if not (run.folder / "run.json").is_file() or run.info()["status"] != "finished"
    ]
    if unfinished:
        raise UsageError(
            f"{folds.folder}: {first_few(unfinished, 5)} {'is' if len(unfinished) == 1 else 'are'} "
            f"not finished. To continue: cnnkit train --resume {quoted(folds.folder)}"
        )
    return pooled_predictions([read_predictions(run.evaluation(SPLIT)) for run in folds.runs])


def pooled_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Return the predictions of several models for different images as one.

    Args:
        parts: with the same classes in the same order.

    Raises:
        UsageError: the classes differ, or an image is in two parts.
    """
    names = parts[0].class_names
    if any(part.class_names != names for part in parts):
        raise UsageError("The folds have different classes. Train them again.")
    paths = [path for part in parts for path in part.paths]
    if len(set(paths)) < len(paths):
        raise UsageError("An image is in the test split of two folds. Train them again.")
    return Predictions(
        names,
        paths,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )
