"""`cnnkit summary` and `cnnkit build`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import (
    json_option,
    num_classes_option,
    overwrite_option,
    runs_option,
    set_option,
)
from cnnkit.text import shown


@click.command(cls=Command)
@click.argument("path", metavar="CONFIG|RUN|KERAS-FILE", type=click.Path(path_type=Path))
@click.option("--explain", is_flag=True, help="Show the formulas behind the numbers.")
@click.option(
    "--diagram",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the network into this .svg or .png file.",
)
@overwrite_option
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Images for which memory is counted; by default the config's.",
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

    TensorFlow is not needed for that. A multiply-add is two FLOPs; those of convolutions and dense
    layers are counted. The receptive field is what one number sees of the image; its stride is the
    distance to its neighbour's, its start the first pixel of the first one.
    """
    from cnnkit.explore.layer_summary import summarize
    from cnnkit.explore.layer_table import summary_table
    from cnnkit.files import DRAWING, check_output

    check_output(diagram, "--diagram", DRAWING, overwrite=overwrite)
    more = {"runs_folder": runs_folder, "note": say}
    result = summarize(path, overrides, num_classes, batch_size, **more)
    if diagram:
        from cnnkit.plots.diagram import plot_diagram

        plot_diagram(result.rows, result.input_shape, diagram)
        say(f"Drawn into {shown(str(diagram))}.")
    print_json(result.as_dict()) if as_json else click.echo(summary_table(result, explain=explain))


@click.command(cls=Command)
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="model.keras",
    show_default=True,
    help="The .keras file to write.",
)
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

    result = build_and_save(path, overrides, num_classes, output, overwrite=overwrite, note=say)
    if as_json:
        print_json(result)
    else:
        say("{file}: {parameters:,} parameters, {num_classes} classes.".format(**result))
