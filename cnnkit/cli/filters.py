"""`cnnkit filters`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    device_option,
    json_option,
    keras_model_option,
    layer_option,
    number_option,
    overwrite_option,
    pictures_option,
    runs_option,
)


@click.command(cls=Command, examples=["cnnkit filters --layer conv_1 --channels 8"])
@keras_model_option
@layer_option
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="A folder of images, or one image, in which to look for patches. Default: the validation "
    "images of the run.",
)
@number_option(
    "--channels",
    "num_channels",
    default=16,
    help="How many channels to draw per layer: those that react most strongly to the images.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The seed of the gradient ascent."
)
@pictures_option("filters")
@overwrite_option
@device_option
@runs_option
@json_option
def filters(model: str | None, runs_folder: Path, as_json: bool, **options: Any) -> None:
    """Draw what the convolutional layers of a model have learned.

    Draws the filters of the first layer in colour and, for each layer, the patches of real images
    to which its channels react most strongly and pictures made by gradient ascent. Writes PNGs
    and filters.html.
    """
    from cnnkit.explore.features.learned_filters import draw_filters
    from cnnkit.progress import report_for

    drawn = draw_filters(model, runs_folder, **options, report=report_for(sys.stderr))
    for note in drawn.notes:
        say(note)
    show(drawn, as_json)
