"""`cnnkit models`."""

from __future__ import annotations

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import json_option


@click.command(
    cls=Command,
    examples=[
        "cnnkit models                     # the list",
        "cnnkit models resnet18 > my.yaml  # a config of your own",
    ],
)
@click.argument("name", required=False)
@json_option
def models(name: str | None, as_json: bool) -> None:
    """List the shipped configs and the pretrained backbones, or print a config to start from."""
    from cnnkit.explore.zoo import model_list, shipped_config

    show(shipped_config(name) if name else model_list(), as_json)
