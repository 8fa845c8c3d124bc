"""Read what a comparison needs of a run: its answers, its config, its curves, its size."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from cnnkit.errors import UsageError, reason_of
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.evaluation.run_predictions import run_predictions
from cnnkit.files import WITHOUT_MARK
from cnnkit.metrics import class_metrics, confusion_matrix, log_loss
from cnnkit.runs import Run, find_run, note_unfinished
from cnnkit.runs.fold_runs import FoldRuns, find_folds
from cnnkit.text import quoted, shown

Note = Callable[[str], Any]
# What `evaluate` appends to the name of a split: the views, or the model file that was scored.
_OF_OWN_IMAGES = re.compile(r"|flips|crops|corruptions|saved_model|.+\.(tflite|onnx|keras)")


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A run, or a cross-validation, or a predictions.csv of another tool.

    Args:
        name: that no other compared run has.
        path: its folder or file.
        predictions: for the images that were scored.
        contents: sha256 of each image, None if they are not known.
        config: the plain data of its config; empty if it has none.
        parameters: of the model; None if they are not known.
        model: its model.tflite; None if there is no such file.
        history: the rows of history.csv, without cells that are empty.
        fold_accuracies: of a cross-validation, the test accuracy of each fold.
        milliseconds: per image; None if it was not measured.
    """

    name: str
    path: Path
    predictions: Predictions
    contents: Sequence[str] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    model: Path | None = None
    history: Sequence[Mapping[str, float]] = ()
    fold_accuracies: Sequence[float] = ()
    milliseconds: float | None = None

    @cached_property
    def accuracy(self) -> float:
        """The share of images whose most probable class is the true one."""
        return float(self.predictions.is_correct.mean())

    @cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95% interval of Wilson of the accuracy."""
        from scipy.stats import binomtest  # takes longer to import than all the rest

        correct = int(self.predictions.is_correct.sum())
        low, high = binomtest(correct, len(self.predictions)).proportion_ci(method="wilson")
        return float(low), float(high)

    @cached_property
    def macro_f1(self) -> float:
        """The mean of F1 over the classes that have images."""
        by_class = class_metrics(
            confusion_matrix(
                labels=self.predictions.labels,
                predictions=self.predictions.predicted,
                num_classes=len(self.predictions.class_names),
            )
        )
        return float(by_class["f1"][by_class["support"] > 0].mean())

    @cached_property
    def log_loss(self) -> float:
        """The mean of -ln p(true class), as `cnnkit.metrics.log_loss` computes it."""
        return log_loss(
            labels=self.predictions.labels, probabilities=self.predictions.probabilities
        )

    @property
    def num_bytes(self) -> int | None:
        """The size of model.tflite; None if there is no such file."""
        return None if self.model is None else self.model.stat().st_size

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        folds = {
            "fold_accuracies": list(self.fold_accuracies),
            "fold_mean": self.fold_mean,
            "fold_spread": self.fold_spread,
        }
        return {
            "name": self.name,
            "path": str(self.path),
            "num_images": len(self.predictions),
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "log_loss": self.log_loss,
            **(folds if self.fold_accuracies else {}),
            "parameters": self.parameters,
            "bytes": self.num_bytes,
            "milliseconds": self.milliseconds,
        }

    @property
    def fold_spread(self) -> float | None:
        """The standard deviation of the folds' accuracies; None if it is not a cross-validation."""
        return stdev(self.fold_accuracies) if self.fold_accuracies else None

    @property
    def fold_mean(self) -> float | None:
        """The mean of the folds' accuracies; None if it is not a cross-validation."""
        return fmean(self.fold_accuracies) if self.fold_accuracies else None


def read_compared(
    path: str | os.PathLike[str],
    runs_folder: Path,
    *,
    evaluation: str,
    note: Note,
    can_name: bool = True,
) -> ComparedRun:
    """Read a run by folder or name, or a file with predictions.

    Args:
        path: a run, a cross-validation, or a CSV file as `read_predictions` reads it.
        runs_folder: where names are looked up.
        evaluation: the folder in evaluation/ whose predictions are compared.
        note: called with a sentence if the run is not finished.
        can_name: whether the command has an option --evaluation.

    Raises:
        UsageError: there is no such run, or it has no such evaluation.
        DataError: the predictions cannot be read.
    """
    place = Path(path)
    if place.suffix.lower() == ".csv" and not (runs_folder / path).is_dir():
        if not place.exists():
            raise UsageError(f"There is no file {shown(str(path))}.")
        return ComparedRun(str(path), place, read_predictions(place))
    if folds := find_folds(path, runs_folder):
        return _read_folds(folds, evaluation)
    run = find_run(path, runs_folder, note)
    note_unfinished(run, note)
    return _read_run(run, evaluation, can_name)


def _read_run(run: Run, evaluation: str, can_name: bool) -> ComparedRun:
    predictions = read_predictions(run_predictions(run, evaluation, can_name=can_name))
    parameters = run.info().get("parameters")
    return ComparedRun(
        run.name,
        run.folder,
        predictions,
        contents_of([run], predictions.paths, evaluation),
        _config(run.config),
        parameters if isinstance(parameters, int) else None,
        run.tflite if run.tflite.is_file() else None,
        _history(run.history),
    )


def _read_folds(folds: FoldRuns, evaluation: str) -> ComparedRun:
    if evaluation != "test":
        raise UsageError(
            f"{folds.folder} is a cross-validation, which can be compared on the test images of "
            f"its folds, not on {shown(evaluation)}. Name one fold: {folds.runs[0].argument}"
        )
    file = folds.evaluation(evaluation) / "predictions.csv"
    if not file.is_file():
        raise UsageError(
            f"{folds.folder} has no evaluation of all its folds. Finish the training (cnnkit train "
            f"--resume {quoted(folds.folder)}), or score the folds (cnnkit evaluate "
            f"{quoted(folds.folder)})."
        )
    predictions = read_predictions(file)
    first = folds.runs[0]
    parameters = first.info().get("parameters")
    return ComparedRun(
        folds.folder.name,
        folds.folder,
        predictions,
        contents_of(folds.runs, predictions.paths, evaluation),
        _config(folds.config),
        parameters if isinstance(parameters, int) else None,
        first.tflite if first.tflite.is_file() else None,
        fold_accuracies=_fold_accuracies(folds, predictions),
    )


def _fold_accuracies(folds: FoldRuns, predictions: Predictions) -> list[float]:
    fold_of = {
        row["path"]: number
        for number, run in enumerate(folds.runs)
        for row in run.read_split()
        if row["split"] == "test"
    }
    numbers = np.array([fold_of.get(path, -1) for path in predictions.paths])
    if set(numbers.tolist()) != set(range(folds.num_folds)):
        raise UsageError(
            f"{folds.evaluation('test')} does not have the test images of the folds. Score them "
            f"again: cnnkit evaluate {quoted(folds.folder)}"
        )
    right = predictions.is_correct
    return [float(right[numbers == number].mean()) for number in range(folds.num_folds)]


def contents_of(runs: Sequence[Run], paths: Sequence[str], evaluation: str) -> list[str] | None:
    """Return the sha256 of each image as split.csv has it, None if one of them is not there.

    Args:
        runs: one, or all folds of a cross-validation.
        paths: of the images.
        evaluation: its name. Unless it is that of a split, the images are others, whose paths may
            be the same.
    """
    split, _, kinds = evaluation.partition("-")
    if not all(map(_OF_OWN_IMAGES.fullmatch, kinds.split("-"))):
        return None
    known = {}
    for run in runs:
        if run.split.is_file():
            rows = (row for row in run.read_split() if row["split"] == split)
            known |= {row["path"]: row["sha256"] for row in rows}
    contents = [known.get(path, "") for path in paths]
    return contents if all(contents) else None


def _config(path: Path) -> Mapping[str, Any]:
    import yaml  # not cnnkit.config: importing it takes longer than all the rest

    try:
        data = yaml.safe_load(path.read_text(**WITHOUT_MARK))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}. Use another run.") from error
    return data if isinstance(data, dict) else {}


def _history(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", **WITHOUT_MARK) as file:
            return [
                {key: float(cell) for key, cell in row.items() if cell}
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, csv.Error) as error:
        raise UsageError(f"{path} is damaged: {error}. Use another run.") from error
