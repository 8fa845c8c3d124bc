"""`cnnkit summary` and `cnnkit build`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import json_option, num_classes_option, set_option


@click.command(cls=Command)
@click.argument("path", metavar="CONFIG|RUN", type=click.Path(path_type=Path))
@set_option
@num_classes_option
@json_option
def summary(path: Path, overrides: tuple[str, ...], num_classes: int | None, as_json: bool) -> None:
    """Print every layer's output shape, parameters, multiply-adds and receptive field."""
    from cnnkit.summary import summarize, summary_table

    result = summarize(path, overrides, num_classes)
    print_json(result.as_dict()) if as_json else click.echo(summary_table(result))


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
@click.option("--overwrite", is_flag=True, help="Replace the file where it exists.")
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
    from cnnkit.summary import build_and_save

    result = build_and_save(path, overrides, num_classes, output, overwrite=overwrite)
    if as_json:
        print_json(result)
    else:
        say("{file}: {parameters:,} parameters, {num_classes} classes.".format(**result))
