"""`cnnkit compare`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import json_option, overwrite_option, runs_option
from cnnkit.text import first_few

_HINT = "For curves, and the images on which the runs differ, add --html FILE or -o FOLDER."


@click.command(
    cls=Command,
    examples=["cnnkit compare runs/photos runs/photos-2", "cnnkit compare runs/* -o comparison"],
)
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True)
@click.option(
    "--evaluation",
    default="test",
    show_default=True,
    metavar="NAME",
    help="The folder in evaluation/ of each run with the predictions to compare: a split, or the "
    "name that `cnnkit evaluate --data` gave.",
)
@click.option(
    "--latency",
    is_flag=True,
    help="Measure how long one image takes on this computer, the models in turn.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A folder for the comparison: the curves and the accuracies as PNG and SVG, "
    "comparison.json, and disagreements.csv with the images that only some of the runs get right. "
    "Without it, nothing is written.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write everything as one page to hand on, with the images on which the runs differ.",
)
@overwrite_option
@runs_option
@json_option
def compare(
    runs: tuple[str, ...],
    evaluation: str,
    latency: bool,
    output: Path | None,
    page: Path | None,
    overwrite: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Tell whether one run is better than another, or only luckier on these test images.

    The answers are compared image by image, with McNemar's exact test. A run may also be the folder
    of a cross-validation, or a CSV file with the predictions of another tool. Three runs or more
    are each compared with the best one, with p-values corrected by Holm's method.
    """
    from cnnkit.comparison.comparing import compare as compare_runs
    from cnnkit.comparison.comparison_files import check_folder, write_comparison

    if output is not None:
        check_folder(output, overwrite=overwrite)
    if page is not None:
        from cnnkit.output_guard import check_output

        check_output(page, "--html", (".html",), overwrite=overwrite)
    comparison = compare_runs(runs, runs_folder=runs_folder, evaluation=evaluation, note=say)
    if latency:
        from cnnkit.comparison.latency import with_latency

        comparison = with_latency(comparison)
        if unmeasured := [run.name for run in comparison.runs if run.milliseconds is None]:
            say(f"No latency of {first_few(unmeasured)}: there is no model.tflite.")
    hints = []
    if output is not None:
        write_comparison(comparison, output)
        hints = [f"The curves, and the images on which the runs differ, are in {output}."]
    if page is not None:
        from cnnkit.report.comparison_page import write_comparison_page

        write_comparison_page(comparison, page)
        hints.append(f"The page is {page}.")
    show(comparison, as_json, hints or [_HINT])
