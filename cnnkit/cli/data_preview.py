"""`cnnkit data preview`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    json_option,
    number_option,
    output_option,
    overwrite_option,
    set_option,
)


@click.command(cls=Command, examples=["cnnkit data preview photos.yaml --images 12 --steps"])
@click.argument("config", metavar="CONFIG", type=click.Path(path_type=Path))
@output_option("The PNG file to draw.", default="preview.png")
@overwrite_option
@number_option(
    "--images",
    default=8,
    most=100,
    help="How many images to draw, taken from the classes in turn.",
)
@number_option(
    "--versions",
    default=5,
    most=20,
    help="How many augmented versions to draw of each image, one per epoch.",
)
@click.option("--steps", is_flag=True, help="Draw one version, after each operation in turn.")
@number_option("--epoch", default=1, help="The first epoch whose versions are drawn.")
@set_option
@json_option
def preview(
    config: Path,
    output: Path,
    overwrite: bool,
    images: int,
    versions: int,
    steps: bool,
    epoch: int,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Draw what the model sees: images after resizing, and their augmented versions.

    The versions are exactly those that training shows in these epochs.
    """
    from cnnkit.explore.preview import draw_preview
    from cnnkit.output_guard import PICTURE, check_output

    check_output(output, "--output", PICTURE, overwrite=overwrite, inputs=[config])
    result = draw_preview(
        config,
        overrides,
        output,
        num_images=images,
        num_versions=versions,
        steps=steps,
        epoch=epoch,
        note=say,
    )
    show(result, as_json)
