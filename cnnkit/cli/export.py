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
    type=click.Choice(
        [
            *("saved_model", "keras", "tflite", "tflite-float16", "tflite-dynamic", "tflite-int8"),
            *("onnx", "openvino", "browser", "all"),
        ]
    ),
    multiple=True,
    help="Repeatable; `all` is every format. Default: those with float32 numbers that this "
    "installation can write, but not `browser`, a folder with a web page, which downloads its "
    "runtime once.",
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
    "--allow-drop",
    type=click.FloatRange(min=0),
    default=1.0,  # DEFAULT_DROP of cnnkit.export
    show_default=True,
    metavar="POINTS",
    help="How many percentage points of accuracy a format with smaller numbers may lose on test "
    "images. One that loses more is not written, and the exit code is 3.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write into this folder; only earlier exports in it are replaced. Default: export/ of the "
    "run.",
)
@runs_option
@json_option
def export(
    run: str | None,
    model: str | None,
    formats: tuple[str, ...],
    limit: float,
    allow_drop: float,
    output: Path | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Write a run's model in other formats, and compare each with the original.

    tflite-float16 halves the size. tflite-dynamic and tflite-int8 are a quarter of it; the latter
    computes in int8, for microcontrollers and accelerators, and is calibrated on training images.
    These three are judged by their accuracy on the test images.
    """
    from cnnkit.export import export_run
    from cnnkit.report.exported_card import write_exported_card
    from cnnkit.runs import find_run

    found = find_run(one_model(run, model), runs_folder, say)
    options = {"output": output, "limit": limit, "allow_drop": allow_drop}
    export = export_run(found, formats, **options, note=say)
    write_exported_card(found, export, say)
    show(export, as_json, failure=export.failure())
