"""`cnnkit evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

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

    Writes metrics.json, predictions.csv and confusion_matrix.png into evaluation/ of the run. With
    more than 60 classes, the matrix and the probabilities have files of their own.
    """
    from cnnkit.evaluation.evaluate_model import evaluate_model
    from cnnkit.evaluation.gates import check_requirements
    from cnnkit.evaluation.scores import NotWrittenError
    from cnnkit.progress import report_for

    not_written = not_met = None
    try:
        evaluation = evaluate_model(
            one_model(run, model),
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
