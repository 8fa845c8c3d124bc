"""`cnnkit code`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import (
    json_option,
    num_classes_option,
    output_option,
    overwrite_option,
    runs_option,
    set_option,
)
from cnnkit.text import quoted


@click.command(cls=Command, examples=["cnnkit code configs/digits_lenet5.yaml -o digits.py"])
@click.argument("source", metavar="CONFIG|RUN", type=click.Path(path_type=Path))
@output_option("The Python file to write. Default: print the script.", metavar="FILE")
@overwrite_option
@set_option
@num_classes_option
@runs_option
@json_option
def code(
    source: Path,
    output: Path | None,
    overwrite: bool,
    overrides: tuple[str, ...],
    num_classes: int | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Write a network and its training as one plain Keras script, without cnnkit.

    The script reads the images, builds the network one line per layer, trains and evaluates it.
    Comments show the formulas of sizes and weights. With a RUN, it uses the run's split. What plain
    Keras cannot say is refused with the reason.
    """
    from cnnkit.keras_script.write_script import write_script
    from cnnkit.output_guard import check_output
    from cnnkit.runs import run_folder_or_path

    check_output(output, "--output", (".py",), overwrite=overwrite, inputs=[source])
    source = run_folder_or_path(source, runs_folder)
    result = write_script(source, output, overrides, num_classes)
    hints = [f"The script is in {output}. Run it: python {quoted(output)}"] if output else []
    show(result, as_json, hints, notes=result.notes)
