"""`cnnkit build`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    json_option,
    num_classes_option,
    output_option,
    overwrite_option,
    set_option,
)


@click.command(cls=Command, examples=["cnnkit build photos.yaml -o untrained.keras"])
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@output_option("The .keras file to write.", default="model.keras")
@overwrite_option
@set_option
@num_classes_option
@json_option
def build(
    path: Path,
    output: Path,
    overwrite: bool,
    overrides: tuple[str, ...],
    num_classes: int | None,
    as_json: bool,
) -> None:
    """Build the untrained model of a config and save it as a .keras file."""
    from cnnkit.explore.untrained import build_and_save
    from cnnkit.output_guard import KERAS, check_output

    # Before the model is built, so that a file that must not be replaced shows at once.
    check_output(output, "--output", KERAS, overwrite=overwrite, inputs=[path])
    show(build_and_save(path, overrides, num_classes, output, note=say), as_json)
