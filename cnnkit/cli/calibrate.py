"""`cnnkit calibrate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.older_pages import older_pages
from cnnkit.cli.options import json_option, runs_option

_SHARE = click.FloatRange(min=0, max=1, min_open=True)


@click.command(
    cls=Command,
    examples=["cnnkit calibrate runs/photos --precision 0.95"],
)
@click.argument("run", metavar="[RUN]", required=False)
@click.option(
    "--precision",
    type=_SHARE,
    metavar="SHARE",
    help="Answer only as far as this share of the answers is right, for example 0.95.",
)
@click.option(
    "--coverage",
    type=_SHARE,
    metavar="SHARE",
    help="Answer the most certain images, at least this share of all.",
)
@click.option(
    "--per-class", is_flag=True, help="A threshold for each class, not one for all of them."
)
@click.option(
    "--accept",
    type=_SHARE,
    default=0.99,
    show_default=True,
    metavar="SHARE",
    help="The share of images like the run's own whose distance from the training images is "
    "accepted. The others, and pictures of another kind, are unknown.",
)
@runs_option
@json_option
def calibrate(run: str | None, runs_folder: Path, as_json: bool, **wanted: Any) -> None:
    """Make a run's probabilities honest, and let it answer "unknown".

    The temperature, the thresholds and the largest distance are found on the validation images and
    measured on the test images. They become a part of the run's model and of its exports. The most
    probable class of an image never changes.
    """
    from cnnkit.calibration.calibrate_run import Wanted, calibrate_run
    from cnnkit.progress import report_for
    from cnnkit.runs import find_run

    found = find_run(run, runs_folder, say)
    if run is None:
        say(f"run: {found.folder}")
    made = calibrate_run(found, Wanted(**wanted), note=say, report=report_for(sys.stderr))
    hints = [f"{found.tflite} is calibrated. next: cnnkit predict IMAGE --model {found.argument}"]
    if found.export.is_dir():
        hints.append(
            "Exports from before do not have this calibration. To write them again: "
            f"cnnkit export {found.argument}"
        )
    show(made, as_json, [*hints, *older_pages(found.folder)])
