"""Calibrate a run: fit its temperature, thresholds and distances, and write its model with them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.calibration.answers import Answers
from cnnkit.calibration.calibrated import Calibrated
from cnnkit.calibration.distances import chosen_references, largest_distance, neighbour_distances
from cnnkit.calibration.image_features import image_features
from cnnkit.calibration.temperature import fit_temperature
from cnnkit.calibration.thresholds import (
    class_thresholds,
    threshold_for_coverage,
    threshold_for_precision,
)
from cnnkit.config import load_config
from cnnkit.data.records import SPLITS, ImageRecord, fingerprint_of
from cnnkit.data.scored_images import run_images
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.evaluation.intervals import wilson_interval
from cnnkit.files import write_json
from cnnkit.model.calibrated_layers import save_references, unit_rows
from cnnkit.model.calibration import Calibration
from cnnkit.model.model_info import ModelInfo
from cnnkit.new_folders import check_writable
from cnnkit.progress import Report
from cnnkit.runs import Run, lacking, note_unfinished
from cnnkit.runtimes import info_of_keras, load_predictor
from cnnkit.text import count_of, first_few

_LEAST_ANSWERS = 10  # on validation, for a threshold of a class's own


@dataclass(frozen=True)
class Wanted:
    """What the answers of a calibrated model should be like.

    Args:
        precision: the share of answers that should be right; None for any.
        coverage: the share of images that should get an answer; None for any.
        per_class: whether every class gets a threshold of its own.
        accept: the share of own images whose distance should be accepted.
    """

    precision: float | None = None
    coverage: float | None = None
    per_class: bool = False
    accept: float = 0.99


def calibrate_run(
    run: Run,
    wanted: Wanted,
    *,
    note: Callable[[str], None] = lambda text: None,
    report: Report | None = None,
) -> Calibrated:
    """Calibrate a run on its validation images, measure the result on its test images, and write.

    `model.tflite` is replaced by one that gives calibrated probabilities and distances, and that
    contains the thresholds. It is checked with the golden images first.

    Args:
        run: with best weights; it may have been calibrated before.
        wanted: of the answers.
        note: called with each sentence for the user.
        report: shows how many images are read; None shows nothing.

    Raises:
        UsageError: the run lacks files or validation images, or what is wanted contradicts itself.
        DataError: images of the run are missing or have changed.
        CnnkitError: no threshold gives the wanted precision.
    """
    rows = _checked_rows(run, wanted)
    note_unfinished(run, note)
    report = report or Report()
    # Only now: these import TensorFlow, which takes seconds, and mistakes should show at once.
    from cnnkit.export.tflite_file import write_tflite
    from cnnkit.model.calibrated_layers import calibrated_model, feature_model, logits_of
    from cnnkit.model.mirrored_model import load_answering_model

    model, info = load_answering_model(run.best), info_of_keras(run.best)
    extractor = feature_model(model)
    features_of = partial(image_features, extractor=extractor, info=info, report=report)
    references = unit_rows(features_of(_references(run, rows, extractor.output_shape[-1])))
    answers = {}
    for split in ("validation", "test"):
        if any(row["split"] == split for row in rows):
            records = run_images(rows, split, load_config(run.config).data)
            features = features_of(records)
            labels = np.array([info.class_names.index(record.label) for record in records])
            distances = neighbour_distances(features, references)
            answers[split] = Answers(labels, logits_of(model, features), distances)
    calibration = _fitted(answers["validation"], wanted, info.class_names, note)
    made = Calibrated(run, calibration, vars(wanted), len(references), answers)
    _write(
        made,
        references,
        lambda path: write_tflite(
            calibrated_model(model, calibration.temperature, references),
            ModelInfo(info.class_names, info.pixels, info.output, calibration),
            path,
        ),
    )
    return made


def _checked_rows(run: Run, wanted: Wanted) -> list[dict[str, str]]:
    """Return the rows of split.csv if the run can be calibrated."""
    if wanted.precision is not None and wanted.coverage is not None:
        raise UsageError("Give --precision or --coverage, not both: the one decides the other.")
    if wanted.per_class and wanted.precision is None and wanted.coverage is None:
        raise UsageError(
            "--per-class needs what each class should reach: --precision or --coverage."
        )
    check_writable(run.folder, "Make it writable, or calibrate a copy of the run.")
    missing = [file for file in (run.best, run.golden) if not file.exists()]
    if missing:
        raise lacking(run, missing)
    rows = run.read_split()
    fingerprint = fingerprint_of((row["label"], row["sha256"]) for row in rows)
    if fingerprint != run.info().get("data", {}).get("fingerprint"):
        raise run.split_has_changed()
    if not any(row["split"] == "validation" for row in rows):
        has = first_few(split for split in SPLITS if any(row["split"] == split for row in rows))
        raise UsageError(
            f"{run.folder} has no validation images to calibrate on; it has {has}. Train with "
            "data.split.validation above 0."
        )
    return rows


def _references(
    run: Run, rows: Sequence[Mapping[str, str]], num_features: int
) -> Sequence[ImageRecord]:
    """Return the training images that distances are measured from."""
    train = [row for row in rows if row["split"] == "train"]
    chosen = chosen_references(
        [row["label"] for row in train], [row["sha256"] for row in train], num_features
    )
    return run_images([train[each] for each in chosen], "train", load_config(run.config).data)


def _fitted(
    answers: Answers,
    wanted: Wanted,
    class_names: Sequence[str],
    note: Callable[[str], None],
) -> Calibration:
    temperature = fit_temperature(logits=answers.logits, labels=answers.labels)
    limit = largest_distance(answers.distances, wanted.accept)
    thresholds: tuple[float | None, ...] = (0.0,) * len(class_names)
    confidences = answers.confidences(temperature, limit)
    if wanted.precision is not None:
        find = partial(threshold_for_precision, precision=wanted.precision)
    elif wanted.coverage is not None:
        find = partial(threshold_for_coverage, coverage=wanted.coverage)
    else:
        return Calibration(temperature, thresholds, limit)
    if wanted.per_class:
        thresholds, few = class_thresholds(
            confidences, answers.predicted, answers.is_correct, find, len(class_names),
            least=_LEAST_ANSWERS,
        )  # fmt: skip
        if few:
            names = first_few(class_names[label] for label in few)
            note(
                f"Fewer than {_LEAST_ANSWERS} validation images were taken for {names}: the "
                "threshold there is that of all images."
            )
    else:
        threshold = find(confidences, answers.is_correct)
        thresholds = (threshold,) * len(class_names)
        answered = 0 if threshold is None else int((confidences >= threshold).sum())
        if 0 < answered < _LEAST_ANSWERS:
            note(
                f"Only {count_of(answered, 'validation image')} would be answered: that is too few "
                "to say how many answers to other images are right."
            )
        elif threshold == 0 and wanted.precision is not None:
            _note_unsure(answers.is_correct, wanted.precision, note)
    _check_reached(thresholds, answers, confidences, wanted, class_names, note)
    return Calibration(temperature, thresholds, limit)


def _note_unsure(is_correct: NDArray, precision: float, note: Callable[[str], None]) -> None:
    """Say so if all images are answered, but too few were tried to know that this is right."""
    low, _ = wilson_interval(is_correct.mean(), len(is_correct))
    if low < precision:
        note(
            f"The threshold is 0, because {is_correct.mean():.1%} of the answers to "
            f"{count_of(len(is_correct), 'validation image')} are right. With so few, it may be "
            f"only {float(low):.1%} of other images (95% interval); with more validation images "
            "the threshold would be known better."
        )


def _check_reached(
    thresholds: Sequence[float | None],
    answers: Answers,
    confidences: NDArray,
    wanted: Wanted,
    class_names: Sequence[str],
    note: Callable[[str], None],
) -> None:
    """Refuse a calibration that answers nothing, and name the classes that are never answered."""
    never = [name for name, each in zip(class_names, thresholds, strict=True) if each is None]
    if len(never) == len(class_names):
        from cnnkit.calibration.thresholds import risk_coverage

        best = 1 - risk_coverage(confidences, answers.is_correct).risks.min()
        raise CnnkitError(
            f"No threshold gives a precision of {wanted.precision:g} on the validation images; "
            f"the best is {best:.3f}. Ask for less, or train a better model."
        )
    if never:
        note(
            f"Never answered, because no threshold gives a precision of {wanted.precision:g}: "
            f"{first_few(never, 10)}."
        )


def _write(made: Calibrated, references: NDArray, write_model: Callable[[Path], None]) -> None:
    """Write the model, check it, and put all files in place."""
    from cnnkit.export.golden import Golden, check_parity
    from cnnkit.plots.risk_coverage_plot import plot_risk_coverage

    run = made.run
    with tempfile.TemporaryDirectory(dir=run.folder, prefix=".tflite-") as folder:
        fresh = Path(folder) / run.tflite.name
        write_model(fresh)
        # The same answer for all images is allowed: a training that learned nothing gives it.
        check_parity(
            load_predictor(fresh, run.folder.parent), Golden.load(run.golden), allow_constant=True
        )
        save_references(references, run.calibration.with_suffix(".npz"))
        write_json(run.calibration, made.facts())
        os.replace(fresh, run.tflite)
    plot_risk_coverage(made.curves(), run.plot("risk_coverage"))
