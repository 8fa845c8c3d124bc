"""Read everything that a report tells of a run: what the files in its folder say."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnkit.config import Config, load_config
from cnnkit.data.sound_names import num_sounds
from cnnkit.errors import CnnkitError, DataError, UsageError
from cnnkit.evaluation.all_metrics import all_metrics
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.files import PATHS_AS_THEY_ARE, open_regular
from cnnkit.runs import Run
from cnnkit.runs.fold_runs import FoldRuns
from cnnkit.runs.run_entry import is_number
from cnnkit.text import quoted, shown

_FIRST = ("test", "validation")  # what a model is judged by, in this order


@dataclass(frozen=True, eq=False)
class Scores:
    """One folder of evaluation/.

    Args:
        name: of the folder: `test`, `validation`, ...
        folder: its path.
        stored: metrics.json.
    """

    name: str
    folder: Path
    stored: Mapping[str, Any]

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics; of a version without intervals, they are computed again."""
        if "intervals" in self.stored or self.predictions is None:
            return self.stored
        return {**self.stored, **all_metrics(self.predictions)}

    @cached_property
    def predictions(self) -> Predictions | None:
        """The answers to the single images; None if there is no predictions.csv.

        Raises:
            DataError: the file cannot be read.
        """
        table = self.folder / "predictions.csv"
        return read_predictions(table) if table.is_file() else None


@dataclass(frozen=True, eq=False)
class RunFacts:
    """What is known of a run, or of a cross-validation.

    Args:
        folder: of the run.
        status: running, finished, failed or interrupted.
        info: run.json; of a cross-validation, that of its first fold.
        config: the config with all defaults.
        class_names: in label order.
        split_rows: of split.csv: path, label, split and sha256 of each image.
        history: one row per epoch; of a cross-validation, none.
        scores: by name of the folder in evaluation/, the test images first.
        folds: the runs of a cross-validation; none for a run.
    """

    folder: Path
    status: str
    info: Mapping[str, Any]
    config: Config
    class_names: Sequence[str]
    split_rows: Sequence[Mapping[str, str]]
    history: Sequence[Mapping[str, float]] = ()
    scores: Mapping[str, Scores] = field(default_factory=dict)
    folds: Sequence[Run] = ()

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.resolve().name

    @property
    def argument(self) -> str:
        """The folder as a word of a shell command."""
        return quoted(self.folder)

    @property
    def run(self) -> Run:
        """The run whose network is shown: of a cross-validation, its first fold."""
        return self.folds[0] if self.folds else Run(self.folder)

    def name_of(self, path: str) -> str:
        """Return a path of an image as the page shows it: without the folder of all images."""
        folder = str(self.config.data.source).rstrip("/") + "/"
        return path.removeprefix(folder)

    @property
    def is_calibrated(self) -> bool:
        """Whether the model has a calibration; those of single folds do not count."""
        return not self.folds and self.run.calibration.is_file()

    @property
    def judged(self) -> Scores | None:
        """The scores that the page is about: those of the test images if there are any."""
        return next((self.scores[name] for name in _FIRST if name in self.scores), None)

    @property
    def are_sounds(self) -> bool:
        """Whether all images are WAV files."""
        return 0 < num_sounds(row["path"] for row in self.split_rows) == len(self.split_rows)

    @property
    def data(self) -> Mapping[str, Any]:
        """What run.json says of the images."""
        return self.info.get("data", {})

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of images by split and class."""
        counts: dict[str, dict[str, int]] = {}
        for row in self.split_rows:
            split = counts.setdefault(row["split"], dict.fromkeys(self.class_names, 0))
            split[row["label"]] = split.get(row["label"], 0) + 1
        return counts


def run_facts(run: Run) -> RunFacts:
    """Return what is known of a run that need not be finished.

    Raises:
        UsageError: the training was stopped before the run had its first files, or one of them is
            damaged.
        DataError: the results of an evaluation are damaged.
    """
    info = run.info()
    for file in (run.config, run.classes, run.split):
        if not file.is_file():
            raise UsageError(
                f"{shown(str(run.folder))} has no {file.name}: the training was stopped before it "
                "had one, or the file was lost. Train again, or choose another run."
            )
    return RunFacts(
        run.folder,
        info["status"],
        info,
        load_config(run.config),
        run.class_names(),
        run.read_split(),
        read_history(run.history),
        _all_scores(run.folder),
    )


def fold_facts(folds: FoldRuns) -> RunFacts:
    """Return what is known of a cross-validation: its pooled test images.

    Raises:
        UsageError: it is not finished, or a file is damaged.
        DataError: the pooled results are damaged.
    """
    scores = _all_scores(folds.folder)
    if "test" not in scores:
        raise UsageError(
            f"{shown(str(folds.folder))} has no pooled results yet. Finish the training: cnnkit "
            f"train --resume {quoted(folds.folder)}, or evaluate it: cnnkit evaluate "
            f"{quoted(folds.folder)}"
        )
    first = folds.runs[0]
    rows = [{**row, "split": "images"} for row in first.read_split()]
    info = first.info()
    config = load_config(folds.config)
    return RunFacts(
        folds.folder,
        "finished",
        info,
        config,
        first.class_names(),
        rows,
        scores=scores,
        folds=folds.runs,
    )


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the rows of history.csv; none if there is no such file.

    Raises:
        DataError: the file is damaged.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [{key: float(value) for key, value in row.items() if value} for row in rows]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(
            f"{shown(str(path))} is damaged: {error}. Restore it, or use another run.",
            path=str(path),
        ) from error


def _all_scores(folder: Path) -> dict[str, Scores]:
    names = sorted(path.parent.name for path in folder.glob("evaluation/*/metrics.json"))
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    places = {name: folder / "evaluation" / name for name in names}
    return {name: Scores(name, place, _metrics(place)) for name, place in places.items()}


def _metrics(folder: Path) -> Mapping[str, Any]:
    found = read_json(folder / "metrics.json")
    if not is_number(found.get("accuracy")) or not isinstance(found.get("per_class"), dict):
        raise _damaged(folder / "metrics.json", "it has no accuracy")
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file of a run.

    Raises:
        DataError: it cannot be read, or is not a JSON object.
    """
    try:
        with open_regular(str(path)) as file:
            found = json.loads(file.read().decode(**PATHS_AS_THEY_ARE))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, "it is not a JSON object")
    return found


def _damaged(path: Path, reason: str) -> CnnkitError:
    return DataError(
        f"{shown(str(path))} is damaged: {reason}. Write it again with cnnkit evaluate, or use "
        "another run.",
        path=str(path),
    )
