"""`cnnkit export`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import json_option, model_option, one_model, runs_option


@click.command(cls=Command, examples=["cnnkit export runs/photos --format tflite"])
@click.argument("run", metavar="[RUN]", required=False)
@model_option
@click.option(
    "--format",
    "formats",
    type=click.Choice(["saved_model", "tflite", "onnx"]),
    multiple=True,
    help="Repeatable. Default: every format that this installation can write.",
)
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-4,
    show_default=True,
    help="The largest difference from the Keras model that a probability may have.",
)
@runs_option
@json_option
def export(
    run: str | None,
    model: str | None,
    formats: tuple[str, ...],
    limit: float,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Write a run's model as SavedModel, TFLite and ONNX, and compare each with the original."""
    from cnnkit.export import default_formats, export_run
    from cnnkit.runs import find_run

    found = find_run(one_model(run, model), runs_folder, say)
    if not formats and len(default_formats()) < 3:
        say('Without ONNX, which needs an extra: pip install "cnnkit[onnx]".')
    parity = export_run(found, formats or default_formats(), limit=limit)
    if as_json:
        return print_json({"folder": str(found.export), "formats": parity})
    for values in parity.values():
        click.echo(
            f"{found.export / values['file']}  {values['bytes'] / 1e6:.2f} MB  "
            f"max_difference {values['max_difference']:.1e}  "
            f"top1_agreement {values['top1_agreement']:.2f}"
        )
    click.echo(
        f"next: cnnkit predict IMAGE --model {found.export / next(iter(parity.values()))['file']}"
    )
