"""`cnnkit data preview`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import json_option, overwrite_option, set_option
from cnnkit.errors import UsageError
from cnnkit.text import shown


@click.command(cls=Command, examples=["cnnkit data preview photos.yaml --images 12 --steps"])
@click.argument("config", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="preview.png",
    show_default=True,
    help="The PNG file to draw.",
)
@overwrite_option
@click.option(
    "--images",
    type=click.IntRange(min=1, max=100),
    default=8,
    show_default=True,
    help="How many images to draw, taken from the classes in turn.",
)
@click.option(
    "--versions",
    type=click.IntRange(min=1, max=20),
    default=5,
    show_default=True,
    help="How many augmented versions to draw of each image, one per epoch.",
)
@click.option("--steps", is_flag=True, help="Draw one version, after each operation in turn.")
@click.option(
    "--epoch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The first epoch whose versions are drawn.",
)
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
    from cnnkit.config import load_config
    from cnnkit.explore.preview import draw_preview, preview_rows
    from cnnkit.files import PICTURE, check_output
    from cnnkit.text import count_of

    check_output(output, "--output", PICTURE, overwrite=overwrite, inputs=[config])
    if config.is_dir():
        raise UsageError(
            f"{config} is a folder, and preview needs a config: "
            f"`cnnkit init {shlex.quote(str(config))}` writes one."
        )
    loaded = load_config(config, overrides)
    rows = preview_rows(
        loaded, num_images=images, num_versions=versions, steps=steps, epoch=epoch, note=say
    )
    draw_preview(rows, output)
    if not loaded.augmentation:
        say("The config has no augmentation: only the images themselves are drawn.")
    drawn = [
        {"path": row.path, "label": row.label, "pictures": [name for name, _ in row.pictures]}
        for row in rows
    ]
    if as_json:
        return print_json({"file": str(output), "images": drawn})
    click.echo(f"{shown(str(output))}: {count_of(len(rows), 'image')}")
