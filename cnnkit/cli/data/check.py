"""`cnnkit data check`."""

from __future__ import annotations

import click

from cnnkit.cli.command import Command


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE|CONFIG")
def check(source: str) -> None:
    """Not written yet."""
    raise NotImplementedError
