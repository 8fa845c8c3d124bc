"""`cnnkit data preview`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import json_option, set_option


@click.command(cls=Command)
@click.argument("config", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="preview.png",
    show_default=True,
    help="The PNG file to draw.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file where it exists.")
@click.option(
    "--images",
    type=click.IntRange(min=1, max=100),
    default=8,
    show_default=True,
    help="How many images, of all classes in turns.",
)
@click.option(
    "--versions",
    type=click.IntRange(min=1, max=20),
    default=5,
    show_default=True,
    help="How many augmented versions of each: those of as many epochs.",
)
@click.option("--steps", is_flag=True, help="Draw one version after each operation in turn.")
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

    The versions are those that training shows in these epochs, pixel for pixel.
    """
    from cnnkit.config import load_config
    from cnnkit.preview import draw_preview, preview_rows

    loaded = load_config(config, overrides)
    rows = preview_rows(
        loaded, num_images=images, num_versions=versions, steps=steps, epoch=epoch, note=say
    )
    draw_preview(rows, output, overwrite=overwrite)
    if not loaded.augmentation:
        say("The config has no augmentation: only the images themselves are drawn.")
    drawn = [
        {"path": row.path, "label": row.label, "pictures": [name for name, _ in row.pictures]}
        for row in rows
    ]
    if as_json:
        return print_json({"file": str(output), "images": drawn})
    click.echo(f"{output}: {len(rows)} images")
