"""`cnnkit summary`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    json_option,
    num_classes_option,
    overwrite_option,
    runs_option,
    set_option,
)


@click.command(cls=Command, examples=["cnnkit summary photos.yaml --explain --diagram net.svg"])
@click.argument("path", metavar="CONFIG|RUN|KERAS-FILE", type=click.Path(path_type=Path))
@click.option("--explain", is_flag=True, help="Show the formulas that give the numbers.")
@click.option(
    "--diagram",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the network into this .svg or .png file.",
)
@overwrite_option
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Count the memory for this many images. Default: the batch size of the config.",
)
@set_option
@num_classes_option
@runs_option
@json_option
def summary(
    path: Path,
    explain: bool,
    diagram: Path | None,
    overwrite: bool,
    batch_size: int | None,
    overrides: tuple[str, ...],
    num_classes: int | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Print every layer's output shape, parameters, multiply-adds, receptive field and memory.

    This does not need TensorFlow. One multiply-add is two FLOPs; those of convolutions and dense
    layers are counted. The receptive field is the part of the image that one number of a layer
    sees. Its stride is the distance to the receptive field of the next number, its start the
    position of the first one.
    """
    from cnnkit.explore.summarize import summarize
    from cnnkit.output_guard import DRAWING, check_output

    check_output(diagram, "--diagram", DRAWING, overwrite=overwrite, inputs=[path])
    more = {"runs_folder": runs_folder, "note": say}
    result = summarize(path, overrides, num_classes, batch_size, **more)
    if diagram:
        from cnnkit.plots.diagram import plot_diagram

        plot_diagram(result.rows, result.input_shape, diagram)
        say(f"The drawing is in {diagram}.")
    show(result, as_json, explain=explain)
