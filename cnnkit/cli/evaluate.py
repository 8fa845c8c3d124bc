"""`cnnkit evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import json_option, model_option, one_model, runs_option


@click.command(cls=Command, examples=['cnnkit evaluate runs/photos --require "accuracy>=0.9"'])
@click.argument("run", metavar="[RUN]", required=False)
@model_option
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="The split to score. By default test; with --data, all of its images.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Other images with the same classes, instead of the run's own: a folder, CSV, ...",
)
@click.option(
    "--name", help="Name of the result folder in evaluation/. By default the split's or data's."
)
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar='"METRIC>=NUMBER"',
    help='Exit with code 3 where it is not met, as in "accuracy>=0.9". Repeatable.',
)
@click.option("--allow-missing-classes", is_flag=True, help="Score data that lacks some classes.")
@click.option(
    "--skip-errors", is_flag=True, help="Leave out images that cannot be read, naming each."
)
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

    Writes metrics.json, predictions.csv and confusion_matrix.png into evaluation/ of the run.
    """
    from cnnkit.evaluation import check_requirements, evaluate_model

    evaluation = evaluate_model(
        one_model(run, model), runs_folder, requirements=requirements, note=say, **what
    )
    if as_json:
        print_json(evaluation.as_dict())
    else:
        click.echo(evaluation.text())
        say(f"written to {evaluation.folder}")
    for line in check_requirements(requirements, evaluation.metrics):
        say(line)
