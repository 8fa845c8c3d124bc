"""`cnnkit grade`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import json_option, output_option, overwrite_option


@click.command(
    cls=Command,
    examples=[
        "cnnkit grade alice.yaml --rubric rubric.yaml",
        "cnnkit grade submissions/ --rubric rubric.yaml -o grades.csv",
    ],
)
@click.argument(
    "submissions", metavar="SUBMISSION...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--rubric", required=True, type=click.Path(path_type=Path), help="The criteria and the points."
)
@output_option("Write a CSV file with one row per submission.", metavar="FILE")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the result of each criterion as JUnit XML.",
)
@click.option(
    "--runs-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the runs of the submissions here. Default: they are removed.",
)
@overwrite_option
@json_option
def grade(
    submissions: tuple[Path, ...],
    rubric: Path,
    output: Path | None,
    junit: Path | None,
    runs_folder: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Grade configs by a rubric: shapes, limits, layers, and accuracy on hidden images.

    A submission is a config, or a folder of configs. It is trained on the data of the rubric, with
    its seed and limits; no code of it runs, and what it names outside itself is refused. One that
    cannot be read gets no points and the message of `config check`. The exit code is 3 if a
    submission is below the pass mark.
    """
    from cnnkit.grading.grade_submissions import grade_submissions
    from cnnkit.output_guard import check_output
    from cnnkit.progress import report_for

    inputs = [rubric, *submissions]
    check_output(output, "--output", (".csv",), overwrite=overwrite, inputs=inputs)
    check_output(junit, "--junit", (".xml",), overwrite=overwrite, inputs=inputs)
    grades = grade_submissions(submissions, rubric, runs_folder, report_for(sys.stderr))
    if output:
        grades.write_table(output)
    if junit:
        grades.write_junit(junit)
    hints = [f"The table is in {output}."] if output else []
    show(grades, as_json, hints, failure=grades.failure)
