"""`cnnkit features`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    device_option,
    json_option,
    keras_model_option,
    layer_option,
    overwrite_option,
    pictures_option,
    runs_option,
)


@click.command(cls=Command, examples=["cnnkit features photo.jpg --layer conv_2"])
@click.argument("image", metavar="IMAGE", type=click.Path())
@keras_model_option
@layer_option
@pictures_option("features/<image>")
@overwrite_option
@device_option
@runs_option
@json_option
def features(
    image: str,
    model: str | None,
    layers: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Draw what each convolutional layer of a model sees in an image.

    Writes one PNG per layer, overview.png with the steps from the image to the probabilities, and
    features.html: a page on which you point at a number to see its window and its sum.
    """
    from cnnkit.explore.features.feature_maps import draw_features
    from cnnkit.progress import report_for

    report = report_for(sys.stderr)
    options = {"layers": layers, "output": output, "overwrite": overwrite}
    drawn = draw_features(image, model, runs_folder, **options, report=report)
    for note in drawn.notes:
        say(note)
    show(drawn, as_json)
