"""`cnnkit models`."""

from __future__ import annotations

from dataclasses import asdict

import click

from cnnkit.cli.command import Command, print_json
from cnnkit.cli.options import json_option


@click.command(cls=Command)
@click.argument("name", required=False)
@json_option
def models(name: str | None, as_json: bool) -> None:
    """List the shipped configs with their costs, or print the one named, to start from.

    \b
    cnnkit models                              the list
    cnnkit models resnet18 > my.yaml           a config of your own
    """
    from cnnkit.zoo import architectures, config_text

    if name:
        click.echo(config_text(name), nl=False)
    elif as_json:
        print_json([asdict(each) for each in architectures()])
    else:
        _print_table([asdict(each) for each in architectures()])


def _print_table(rows: list[dict]) -> None:
    width = max(len(row["name"]) for row in rows)
    click.echo(f"{'name':{width}}  {'input':>13}  classes   parameters  MFLOPs  source")
    for row in rows:
        shape = " x ".join(map(str, row["input_shape"]))
        flops = 2 * row["multiply_adds"] / 1e6
        click.echo(
            f"{row['name']:{width}}  {shape:>13}  {row['num_classes']:>7,}  "
            f"{row['parameters']:>11,}  {flops:>6,.0f}  {row['source']}"
        )
