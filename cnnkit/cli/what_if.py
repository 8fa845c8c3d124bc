"""`cnnkit what-if`."""

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


@click.command(cls=Command, examples=["cnnkit what-if configs/digits_lenet5.yaml -o lenet.html"])
@click.argument("config", metavar="CONFIG", type=click.Path(path_type=Path))
@output_option("The .html file to write. Default: NAME.what-if.html for the config NAME.yaml.")
@overwrite_option
@set_option
@num_classes_option
@json_option
def what_if(
    config: Path,
    output: Path | None,
    overwrite: bool,
    overrides: tuple[str, ...],
    num_classes: int | None,
    as_json: bool,
) -> None:
    """Write a page on which you change layers and see shapes, costs and receptive fields follow.

    Stride, padding, kernel size, filters, dilation, the window of a pooling, dense units and the
    size of the image can be changed. The formulas are shown with the numbers filled in, and what
    changed is marked. The page has a button that copies the edited layers as YAML. It is one HTML
    file that loads nothing from a network. Of a config with a backbone, the head can be changed;
    only this needs TensorFlow. CONFIG may be a run folder.
    """
    from cnnkit.explore.what_if.what_if_page import write_what_if
    from cnnkit.output_guard import PAGE, check_output

    file = output or Path(f"{config.stem if config.is_file() else config.name}.what-if.html")
    check_output(file, "--output", PAGE, overwrite=overwrite, inputs=[config])
    show(write_what_if(config, file, overrides, num_classes, note=say), as_json)
