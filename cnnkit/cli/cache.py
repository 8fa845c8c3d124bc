"""`cnnkit cache ...`."""

from __future__ import annotations

import click

from cnnkit.cli.command import Group


@click.group(cls=Group)
def cache() -> None:
    """Show and clear what cnnkit keeps between runs."""
