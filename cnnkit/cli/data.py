"""`cnnkit data ...`: look at a data set before training on it."""

from __future__ import annotations

import click

from cnnkit.cli.command import Group
from cnnkit.cli.data_check import check
from cnnkit.cli.data_pack import pack
from cnnkit.cli.data_preview import preview
from cnnkit.cli.data_split import split
from cnnkit.cli.data_stats import stats


@click.group(cls=Group)
def data() -> None:
    """Check, count, split, draw and pack images. Nothing of them is ever changed."""


for command in (check, stats, split, preview, pack):
    data.add_command(command)
