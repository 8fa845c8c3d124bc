"""`cnnkit evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    json_option,
    model_option,
    one_model,
    overwrite_option,
    runs_option,
)
from cnnkit.errors import CnnkitError
from cnnkit.text import shown

if TYPE_CHECKING:
    from cnnkit.evaluation.pooled_folds import FoldEvaluation


@click.command(cls=Command, examples=['cnnkit evaluate runs/photos --require "accuracy>=0.9"'])
@click.argument("run", metavar="[RUN]", required=False)
@model_option
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="The split to score. Default: test, or with --data, all of its images.",
)
@click.option(
    "--data",
    type=click.Path(),  # a str: Path would turn ./digits, a folder, into digits, the built-in
    help="Score other images with the same classes instead: a folder, a CSV file, ...",
)
@click.option(
    "--name",
    help="The name of the folder in evaluation/ for the results. Default: the name of the split "
    "or the data.",
)
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar='"METRIC>=NUMBER"',
    help='Exit with code 3 if this is not met, for example "accuracy>=0.9". Repeatable.',
)
@click.option(
    "--allow-missing-classes", is_flag=True, help="Score data in which classes are missing."
)
@click.option(
    "--tta",
    type=click.Choice(["flips", "crops"]),
    help="Average the answers to several views of each image: the image and its mirror image, or "
    "the image and five crops of it.",
)
@click.option(
    "--corruptions",
    is_flag=True,
    help="Also score each image with noise, blur, less contrast, lighter, darker, as a poor JPEG "
    "and rotated, at five strengths. Takes 36 times as long.",
)
@click.option("--skip-errors", is_flag=True, help="Skip images that cannot be read, and name each.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The folder for the results. Default: one in evaluation/ of the run.",
)
@overwrite_option
@runs_option
@json_option
def evaluate(
    run: str | None,
    model: str | None,
    requirements: tuple[str, ...],
    runs_folder: Path,
    as_json: bool,
    **what: Any,
) -> None:
    """Score a run on its test split, another split, or other images.

    Of a cross-validation (train --folds), the test images of all folds are scored together.
    Writes metrics.json, predictions.csv and confusion_matrix.png into evaluation/ of the run. With
    more than 60 classes, the matrix and the probabilities have files of their own. Kinds of images
    on which the run is worse are listed, and pictures of its errors are drawn.
    """
    from cnnkit.evaluation.evaluate_model import evaluate_model
    from cnnkit.evaluation.gates import check_requirements
    from cnnkit.evaluation.scores import NotWrittenError
    from cnnkit.progress import report_for

    name = one_model(run, model)
    not_written = not_met = None
    try:
        evaluation = _evaluated_folds(name, runs_folder, what) or evaluate_model(
            name,
            runs_folder,
            requirements=requirements,
            note=say,
            report=report_for(sys.stderr),
            **what,
        )
    except NotWrittenError as error:
        evaluation, not_written = error.evaluation, error
    try:
        # Also if the results could not be written: scoring the images may have taken long.
        lines = check_requirements(requirements, evaluation.metrics)
    except CnnkitError as error:
        not_met, lines = error, [str(error)] if not_written else []
    hints = [] if not_written else [f"The results are in {shown(str(evaluation.folder))}."]
    show(evaluation, as_json, hints, notes=lines, failure=not_written or not_met)


def _evaluated_folds(
    name: str | None, runs_folder: Path, options: Mapping[str, Any]
) -> FoldEvaluation | None:
    """Return the scores of a cross-validation, None if the name is not that of one."""
    from cnnkit.runs.fold_runs import find_folds

    folds = None if name is None else find_folds(name, runs_folder)
    if folds is None:
        return None
    if given := [option for option, value in options.items() if value]:
        raise click.UsageError(
            f"{name} is a cross-validation, whose folds are scored on their test images: it takes "
            f"no --{given[0].replace('_', '-')}. Name one fold, for example {name}/fold1."
        )
    from cnnkit.evaluation.pooled_folds import evaluate_folds

    return evaluate_folds(folds)
