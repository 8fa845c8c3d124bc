"""`cnnkit report`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import json_option, overwrite_option, runs_option


@click.command(cls=Command, examples=["cnnkit report runs/photos -o photos.html"])
@click.argument("run", metavar="[RUN]", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The .html file to write. Default: report.html of the run.",
)
@overwrite_option
@runs_option
@json_option
def report(
    run: str | None, output: Path | None, overwrite: bool, runs_folder: Path, as_json: bool
) -> None:
    """Write a page to hand on: what a run is, how good, where it is wrong, how to repeat it.

    It is one HTML file that loads nothing from a network. RUN need not be finished; by default it
    is the newest finished run. Training writes a first version of the page. This command adds what
    takes longer: Grad-CAM of wrong answers, kinds of images that are worse, and a check of all
    images. Of a cross-validation, the page shows the results of all folds together. Without
    --output, model_card.md of a finished run is written again, too.
    """
    from cnnkit.progress import report_for
    from cnnkit.report import report_on

    progress = report_for(sys.stderr)
    written = report_on(run, runs_folder, output, overwrite=overwrite, report=progress)
    show(written, as_json)
