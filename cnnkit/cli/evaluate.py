"""`cnnkit evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.model_options import any_model_options
from cnnkit.cli.older_pages import older_pages
from cnnkit.cli.options import (
    json_option,
    one_model,
    overwrite_option,
    runs_option,
)
from cnnkit.errors import CnnkitError
from cnnkit.text import shown

if TYPE_CHECKING:
    from cnnkit.evaluation.pooled_folds import FoldEvaluation
    from cnnkit.evaluation.required import Gate
    from cnnkit.evaluation.scores import Evaluation
    from cnnkit.foreign.how_to_read import HowToRead

# The options that do not need a model.
_OF_ANSWERS = ("requirements", "no_worse_than", "output", "overwrite")
_OF_FOLDS = ("requirements", "on_lower", "no_worse_than", "note")


@click.command(cls=Command, examples=['cnnkit evaluate runs/photos --require "accuracy>=0.9"'])
@click.argument("run", metavar="[RUN]", required=False)
@any_model_options
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
    "--from-predictions",
    type=click.Path(),
    metavar="FILE",
    help="Score the answers in a predictions.csv, also of another tool, instead of a run. Nothing "
    "is written without --output.",
)
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar='"METRIC>=NUMBER"',
    help='Exit with code 3 if this is not met, for example "accuracy>=0.9" or '
    '"per_class.cat.recall>=0.8". Repeatable.',
)
@click.option(
    "--on",
    type=click.Choice(["value", "lower"]),
    default="value",
    show_default=True,
    help="What --require and --no-worse-than look at: the value, or the worse end of its 95% "
    "interval.",
)
@click.option(
    "--no-worse-than",
    metavar="RUN",
    help="Exit with code 3 if this run, or predictions.csv, is better on the same images by more "
    "than chance explains.",
)
@click.option(
    "--junit",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write whether each requirement is met as JUnit XML.",
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
    how: HowToRead,
    from_predictions: str | None,
    on: str,
    junit: Path | None,
    runs_folder: Path,
    as_json: bool,
    **what: Any,
) -> None:
    """Score a run on its test split, another split, or other images.

    Every metric has a 95% interval. Of a cross-validation (train --folds), the test images of all
    folds are scored together. Writes metrics.json, predictions.csv and plots into evaluation/ of
    the run. With more than 60 classes, the matrix and the probabilities have files of their own.
    Kinds of images on which the run is worse are listed, and pictures of its errors are drawn.
    A model that is not in a run is scored on --data, and nothing is written without --output.
    """
    from cnnkit.evaluation.required import Gate, Judged
    from cnnkit.evaluation.scores import NotWrittenError

    gate = Gate(what["requirements"], what["no_worse_than"], on == "lower", junit)
    gate.check_options(overwrite=what["overwrite"])
    not_written = failure = None
    try:
        name = one_model(run, model)
        evaluation = _evaluation(name, how, from_predictions, runs_folder, gate, what)
    except NotWrittenError as error:
        evaluation, not_written = error.evaluation, error
    try:
        # Also if the results could not be written: scoring the images may have taken long.
        judged = Judged(evaluation, gate.check(evaluation))
        failure = judged.failure
    except CnnkitError as error:
        judged, failure = Judged(evaluation), error
    # The failure names the outcomes itself.
    lines = judged.sentences if failure is None else [str(failure)] if not_written else []
    is_written = not not_written and evaluation.folder is not None
    hints = [f"The results are in {shown(str(evaluation.folder))}."] if is_written else []
    if is_written and evaluation.folder.parent.name == "evaluation":  # not with --output
        hints += older_pages(evaluation.folder.parent.parent)
    show(judged, as_json, hints, notes=lines, failure=not_written or failure)


def _evaluation(
    name: str | None,
    how: HowToRead,
    from_predictions: str | None,
    runs_folder: Path,
    gate: Gate,
    what: Mapping[str, Any],
) -> Evaluation | FoldEvaluation:
    """Score what the options name: a file of answers, a cross-validation, or a run."""
    given = {**what, "on_lower": gate.on_lower, "note": say}
    if from_predictions is not None:
        _refuse_options(
            {"run": name} | {key: what[key] for key in what if key not in _OF_ANSWERS},
            "--from-predictions scores the answers in a file: it takes no",
        )
        from cnnkit.evaluation.rescoring import evaluate_predictions

        options = {key: given[key] for key in (*_OF_ANSWERS, "on_lower", "note")}
        return evaluate_predictions(from_predictions, runs_folder=runs_folder, **options)
    if folds := _evaluated_folds(name, runs_folder, given):
        return folds
    from cnnkit.evaluation.evaluate_model import evaluate_model
    from cnnkit.progress import report_for

    return evaluate_model(name, runs_folder, how=how, report=report_for(sys.stderr), **given)


def _refuse_options(options: Mapping[str, Any], reason: str) -> None:
    for option, value in options.items():
        if value:
            word = "RUN" if option == "run" else f"--{option.replace('_', '-')}"
            raise click.UsageError(f"{reason} {word}.")


def _evaluated_folds(
    name: str | None, runs_folder: Path, given: Mapping[str, Any]
) -> FoldEvaluation | None:
    """Return the scores of a cross-validation, None if the name is not that of one."""
    from cnnkit.runs.fold_runs import find_folds

    folds = None if name is None else find_folds(name, runs_folder)
    if folds is None:
        return None
    if other := [key for key, value in given.items() if value and key not in _OF_FOLDS]:
        raise click.UsageError(
            f"{name} is a cross-validation, whose folds are scored on their test images: it takes "
            f"no --{other[0].replace('_', '-')}. Name one fold, for example {name}/fold1."
        )
    from cnnkit.evaluation.fold_details import evaluate_folds_in_detail
    from cnnkit.progress import report_for

    options = {key: given[key] for key in _OF_FOLDS}
    return evaluate_folds_in_detail(
        folds, runs_folder=runs_folder, report=report_for(sys.stderr), **options
    )
