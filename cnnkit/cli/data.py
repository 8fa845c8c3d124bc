"""`cnnkit data ...`: look at a data set before you train on it."""

from __future__ import annotations

import click

from cnnkit.cli.command import Group
from cnnkit.cli.data_check import check
from cnnkit.cli.data_labels import labels
from cnnkit.cli.data_pack import pack
from cnnkit.cli.data_preview import preview
from cnnkit.cli.data_split import split
from cnnkit.cli.data_stats import stats


@click.group(cls=Group, examples=["cnnkit data check photos/"])
def data() -> None:
    """Check, count, split, draw and pack images; they are never changed."""


data.add_section("Commands", [check, stats, split, labels, preview, pack])
