"""`cnnkit export`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import json_option, model_option, one_model, runs_option


@click.command(cls=Command, examples=["cnnkit export runs/photos --format tflite"])
@click.argument("run", metavar="[RUN]", required=False)
@model_option
@click.option(
    "--format",
    "formats",
    type=click.Choice(["saved_model", "tflite", "onnx", "browser"]),
    multiple=True,
    help="Repeatable. Default: every format that this installation can write, but not `browser`, "
    "a folder with a web page, which downloads its runtime once.",
)
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    # DEFAULT_LIMIT of cnnkit.export, which needs NumPy: importing it would slow --help down.
    default=1e-4,
    show_default=True,
    help="The largest difference from the Keras model that a probability may have.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write into this folder, which is new or an earlier export. Default: export/ of the run.",
)
@runs_option
@json_option
def export(
    run: str | None,
    model: str | None,
    formats: tuple[str, ...],
    limit: float,
    output: Path | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Write a run's model as SavedModel, TFLite and ONNX, and compare each with the original."""
    from cnnkit.export import export_run
    from cnnkit.runs import find_run

    found = find_run(one_model(run, model), runs_folder, say)
    show(export_run(found, formats, output=output, limit=limit, note=say), as_json)
