"""`cnnkit init`."""

from __future__ import annotations

import click

from cnnkit.cli.command import Command


@click.command(cls=Command)
@click.argument("folder", metavar="FOLDER")
def init(folder: str) -> None:
    """Not written yet."""
    raise NotImplementedError
