"""`cnnkit features` and `cnnkit filters`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import Decorator, json_option, overwrite_option, runs_option

_model_option = click.option(
    "--model",
    metavar="RUN|FILE",
    help="A run folder or name, or a .keras file in one. Without it, the newest finished run.",
)
_layer_option = click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help="A convolutional layer, as in conv_2, instead of all. Repeatable.",
)


def _output_option(default: str) -> Decorator:
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"The folder to write to. By default {default} in the run folder, with -2, -3, ... "
        "behind it where that exists.",
    )


@click.command(cls=Command)
@click.argument("image", metavar="IMAGE", type=click.Path())
@_model_option
@_layer_option
@_output_option("features/<image>")
@overwrite_option
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
    """Draw what each convolutional layer makes of an image.

    One PNG a layer, overview.png of the way from the image to the probabilities, and
    features.html, where you point at a number to see its window and its sum.
    """
    from cnnkit.explore.features.feature_maps import draw_features
    from cnnkit.progress import report_for

    report = report_for(sys.stderr)
    options = {"layers": layers, "output": output, "overwrite": overwrite}
    drawn = draw_features(image, model, runs_folder, **options, report=report)
    for note in drawn.notes:
        say(note)
    if as_json:
        return print_json(drawn.to_json())
    click.echo(drawn.table())


@click.command(cls=Command)
@_model_option
@_layer_option
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="A folder of images or one image to look for patches in, instead of the run's "
    "validation images.",
)
@click.option(
    "--channels",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="How many channels a layer, those that the images excite most.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the gradient ascent.")
@_output_option("filters")
@overwrite_option
@runs_option
@json_option
def filters(
    model: str | None,
    layers: tuple[str, ...],
    images: Path | None,
    channels: int,
    seed: int,
    output: Path | None,
    overwrite: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Draw what the convolutional layers of a model have learned.

    The filters of the first layer in colour; of each layer the patches of real images that
    excite its channels most, and pictures made by gradient ascent. PNGs and filters.html.
    """
    from cnnkit.explore.features.learned_filters import draw_filters
    from cnnkit.progress import report_for

    drawn = draw_filters(
        model,
        runs_folder,
        layers=layers,
        images=images,
        num_channels=channels,
        seed=seed,
        output=output,
        overwrite=overwrite,
        report=report_for(sys.stderr),
    )
    for note in drawn.notes:
        say(note)
    if as_json:
        return print_json(drawn.to_json())
    click.echo(drawn.table())
