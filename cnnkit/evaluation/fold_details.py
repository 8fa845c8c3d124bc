"""Score a cross-validation with slices and galleries of the test images of all folds together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cnnkit.comparison.compared_runs import contents_of
from cnnkit.config import load_config
from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.scored_images import run_images
from cnnkit.data.sources.extra_columns import extra_columns
from cnnkit.data.sources.manifest_paths import ManifestPaths
from cnnkit.errors import CnnkitError, DataError, ImageError
from cnnkit.evaluation.details import Details
from cnnkit.evaluation.gates import check_metric_names
from cnnkit.evaluation.image_measures import MEASURES, read_and_measure
from cnnkit.evaluation.no_worse import read_baseline
from cnnkit.evaluation.pooled_folds import (
    SPLIT,
    FoldEvaluation,
    answers_of_folds,
    fold_evaluation,
)
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import is_reserved
from cnnkit.evaluation.scores import Evaluation, NotWrittenError
from cnnkit.prediction import read_ahead
from cnnkit.progress import Report
from cnnkit.runs.fold_runs import FoldRuns

Note = Callable[[str], None]


def evaluate_folds_in_detail(
    folds: FoldRuns,
    *,
    requirements: Sequence[str] = (),
    on_lower: bool = False,
    no_worse_than: str | None = None,
    runs_folder: Path,
    note: Note,
    report: Report,
) -> FoldEvaluation:
    """Score the test images of all folds together, and write the results into the folder.

    Args:
        folds: of the cross-validation.
        requirements: only their names are checked here.
        on_lower: whether each of them needs an interval.
        no_worse_than: another run or cross-validation on the same images.
        runs_folder: where its name is looked up.
        note: called with each sentence for the user.
        report: shows how many images are measured.

    Raises:
        UsageError: a fold is not finished, or a requirement is refused.
        DataError: the predictions of a fold cannot be read.
        NotWrittenError: the results cannot be written.
    """
    answers = answers_of_folds(folds)
    names = answers.class_names
    check_metric_names(requirements, names, on_lower=on_lower)
    baseline = None
    if no_worse_than is not None:
        baseline = read_baseline(
            no_worse_than, runs_folder, evaluation=SPLIT, class_names=names, note=note
        )
    files: Mapping[str, ImageFile] = {}
    try:
        files, settings = _files(folds)
        columns = _measures(answers, files, settings, report)
        answers = replace(answers, columns={**columns, **_own_columns(folds, answers, files)})
    except CnnkitError as error:  # the images were moved since the training
        note(f"Slices by size, brightness and the like are left out. {error}")
    pooled = Evaluation(
        folds.evaluation(SPLIT),
        answers,
        details=Details(answers, files.get),
        baseline=baseline,
        contents=contents_of(folds.runs, answers.paths, SPLIT),
    )
    evaluation = fold_evaluation(folds, pooled)
    try:
        pooled.write()
    except OSError as error:
        raise NotWrittenError(evaluation, error) from error
    return evaluation


def _files(folds: FoldRuns) -> tuple[dict[str, ImageFile], PixelSettings]:
    """Return the file of each test image by its path, and how the models see the images."""
    files: dict[str, ImageFile] = {}
    for run in folds.runs:
        data_config = load_config(run.config).data
        images = run_images(run.read_split(), SPLIT, data_config)
        files |= {record.path: record.file for record in images}
    return files, PixelSettings.of(data_config)


def _own_columns(
    folds: FoldRuns, answers: Predictions, files: Mapping[str, ImageFile]
) -> dict[str, list[str]]:
    """Return the other columns of the CSV or JSONL file that was divided into folds."""
    manifest = Path(folds.source)
    if not manifest.is_file():
        return {}
    # The folds have manifests of their own, in which paths begin elsewhere.
    shown = ManifestPaths(manifest).shown
    own = extra_columns(
        manifest, [shown(os.path.abspath(str(files[path]))) for path in answers.paths]
    )
    return {name: texts for name, texts in own.items() if not is_reserved(name)}


def _measures(
    answers: Predictions, files: Mapping[str, ImageFile], settings: PixelSettings, report: Report
) -> dict[str, list[str]]:
    """Return a column for each of `MEASURES`."""
    read = partial(read_and_measure, settings=settings)
    rows = []
    with report.counting("measuring images") as progress:
        images = read_ahead((files[path] for path in answers.paths), read)
        for done, (file, future) in enumerate(images, start=1):
            try:
                _, measures = future.result()
            except ImageError as error:
                raise DataError(f"{file}: {error}") from error
            rows.append(measures)
            progress(done, len(answers))
    return {name: [row[name] for row in rows] for name in MEASURES}
