"""A run and images with known labels enter; metrics, predictions and a confusion matrix leave."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.config import load_config
from cnnkit.data.records import SPLITS, ImageRecord, fingerprint_of
from cnnkit.data.scored_images import find_images_for, run_images
from cnnkit.errors import DataError, GateError, UsageError, did_you_mean
from cnnkit.files import write_csv, write_json
from cnnkit.metrics import all_metrics
from cnnkit.plots import plot_confusion_matrix
from cnnkit.prediction import Prediction, predict, row, row_header
from cnnkit.runs import Run, check_folder_name, run_of_file
from cnnkit.runtimes import Predictor, load_predictor

_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_REQUIREMENT = re.compile(r"^\s*(.+?)\s*(>=|<=|>|<)\s*([-+.\deE]+)\s*$")


@dataclass(frozen=True)
class Evaluation:
    """The results on one set of images.

    Args:
        name: the split, or the name of the other data.
        paths: one a row, as in split.csv or the CSV.
        labels: (num_images,) integers.
        probabilities: (num_images, num_classes).
        class_names: ordered by label.
    """

    name: str
    paths: Sequence[str]
    labels: NDArray
    probabilities: NDArray
    class_names: tuple[str, ...]

    def metrics(self) -> dict[str, Any]:
        """Return every number of `cnnkit.metrics.all_metrics`."""
        return all_metrics(
            labels=self.labels, probabilities=self.probabilities, class_names=self.class_names
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Write metrics.json, predictions.csv and confusion_matrix.png; return the metrics."""
        metrics = self.metrics()
        rows = [
            row(Prediction(path, self.class_names, probabilities), label=self.class_names[label])
            for path, label, probabilities in zip(
                self.paths, self.labels, self.probabilities, strict=True
            )
        ]
        write_csv(folder / "predictions.csv", row_header(self.class_names, label=True), rows)
        plot_confusion_matrix(
            metrics["confusion_matrix"], self.class_names, folder / "confusion_matrix.png"
        )
        write_json(folder / "metrics.json", metrics)
        return metrics


def check_requirements(requirements: Iterable[str], metrics: dict[str, Any]) -> list[str]:
    """Return a sentence for each of `accuracy>=0.9`, `per_class.cat.recall>=0.8`, all met.

    Raises:
        UsageError: a requirement cannot be read or names no metric.
        GateError: at least one is not met; the text has them all.
    """
    lines, failed = [], False
    for text in requirements:
        name, compare, limit = parse_requirement(text)
        value = _look_up(metrics, name)
        met = _OPERATORS[compare](value, limit)
        failed = failed or not met
        lines.append(f"{name} is {value:.4f}, required {compare} {limit:g}: {_MET[met]}")
    if failed:
        raise GateError("\n".join(lines))
    return lines


def parse_requirement(text: str) -> tuple[str, str, float]:
    """Return (metric, operator, limit) of `accuracy>=0.9`.

    >>> parse_requirement("macro_f1 > 0.8")
    ('macro_f1', '>', 0.8)
    """
    match = _REQUIREMENT.match(text)
    try:
        return match[1], match[2], float(match[3])
    except (TypeError, ValueError):
        raise UsageError(
            f'--require "{text}" is not a metric, one of >= <= > <, and a number, as in '
            '"accuracy>=0.9".'
        ) from None


_MET = {True: "met", False: "NOT met"}


def _look_up(metrics: dict[str, Any], name: str) -> float:
    value: Any = metrics
    if name.startswith("per_class."):  # a class name may hold dots itself
        class_name, _, key = name.removeprefix("per_class.").rpartition(".")
        value = metrics["per_class"].get(class_name, {}).get(key)
    else:
        value = metrics.get(name)
    if isinstance(value, int | float):
        return value
    allowed = [key for key, number in metrics.items() if isinstance(number, int | float)]
    raise UsageError(
        f"--require: there is no metric {name}.{did_you_mean(name, allowed)} "
        f"Allowed: {', '.join(allowed)}, per_class.<class>.precision|recall|f1|support."
    )


def evaluate_model(
    model: str | None,
    runs_folder: Path,
    *,
    split: str | None = None,
    data: Path | None = None,
    name: str | None = None,
    requirements: Sequence[str] = (),
    allow_missing_classes: bool = False,
    skip_errors: bool = False,
    note: Callable[[str], None],
) -> tuple[Path, dict[str, Any]]:
    """Score a run, or a model file inside its folder, and write the results into evaluation/.

    Args:
        model: run folder or name, or a model file in one; None means the newest finished run.
        runs_folder: where run names are looked for.
        split: of the run, `test` by default; of the other data, all of its images by default.
        data: another folder, CSV, JSONL or TFRecord file, instead of the run's own images.
        name: of the result folder.
        requirements: read before anything is scored, so that a typo costs no time.
        allow_missing_classes: score other data that lacks some of the classes.
        skip_errors: leave out images that cannot be read instead of stopping.
        note: called with each sentence for the user.

    Returns:
        The folder of the results, and the metrics.

    Raises:
        CnnkitError: no such model or data, classes that differ, images that changed or are broken.
    """
    for requirement in requirements:
        parse_requirement(requirement)
    if name is not None:
        check_folder_name(name)
        if data is not None and name in SPLITS:
            raise UsageError(f"--name {name} is the run's own split. Give the data another name.")
    predictor = load_predictor(model, runs_folder, note)
    run = run_of_file(predictor.path)
    if model is None:
        note(f"run: {run.folder}")
    config = load_config(run.config)
    if data is None:
        split = split or "test"
        rows = run.read_split()
        _check_whole(run, rows)
        records = run_images(rows, split, config.data)
    else:
        names = predictor.info.class_names
        source = find_images_for(
            data,
            names,
            config.data,
            split=split,
            run_name=str(run.folder),
            allow_missing_classes=allow_missing_classes,
        )
        records = source.records
        for sentence in source.notes:
            note(sentence)
    folder = run.evaluation(name or _result_name(predictor.path, run, split, data))
    metrics = _score(predictor, records, folder.name, skip_errors, note).write(folder)
    return folder, metrics


def _check_whole(run: Run, rows: Sequence[dict[str, str]]) -> None:
    seen = fingerprint_of((row.get("label") or "", row.get("sha256") or "") for row in rows)
    if seen != run.info()["data"]["fingerprint"]:
        raise UsageError(
            f"{run.split} is not as the run wrote it: lines are gone or changed. Put it back, or "
            "score the images with --data."
        )


def _result_name(model: Path, run: Run, split: str | None, data: Path | None) -> str:
    """Return a folder name that no other kind of evaluation of the run has."""
    parts = [split]
    if data is not None:
        data = data.resolve()
        stem = data.stem if data.is_file() else data.name
        inside = data.parent.name if stem in SPLITS else None  # photos/test is not the split
        parts = [inside, stem or "data", split]
    if model.resolve() != run.tflite.resolve():
        parts.append(model.name)
    return "-".join(part for part in parts if part)


def _score(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    name: str,
    skip_errors: bool,
    note: Callable[[str], None],
) -> Evaluation:
    names = predictor.info.class_names
    label_of = {class_name: label for label, class_name in enumerate(names)}
    answers = predict(predictor, (record.file for record in records))
    scored, broken = [], []
    for record, answer in zip(records, answers, strict=True):
        if answer.error is None:
            scored.append((record, answer.probabilities))
        else:
            broken.append(f"{record.path}: {answer.error}")
    if broken and (not skip_errors or not scored):
        raise DataError(
            f"{len(broken)} of {len(records)} images cannot be read:\n  "
            + "\n  ".join(broken[:20])
            + ("\n  ..." if len(broken) > 20 else "")
            + "\nRepair or remove them, or leave them out with --skip-errors."
        )
    for line in broken:
        note(f"left out {line}")
    return Evaluation(
        name,
        [record.path for record, _ in scored],
        np.array([label_of[record.label] for record, _ in scored]),
        np.stack([probabilities for _, probabilities in scored]),
        names,
    )


def metrics_table(metrics: dict[str, Any]) -> str:
    """Return the totals and the per-class table for people."""
    numbers = {key: value for key, value in metrics.items() if isinstance(value, float)}
    lines = [f"{key:<18} {value:.4f}" for key, value in numbers.items()]
    width = max(len(name) for name in [*metrics["per_class"], "class"])
    lines.append("")
    lines.append(f"{'class':<{width}}  precision  recall      f1  support")
    for name, values in metrics["per_class"].items():
        lines.append(
            f"{name:<{width}}  {values['precision']:9.4f}  {values['recall']:6.4f}  "
            f"{values['f1']:6.4f}  {values['support']:7d}"
        )
    return "\n".join([f"{'images':<18} {metrics['num_images']}", *lines])
