"""`cnnkit cache ...`: see and remove what cnnkit keeps between runs."""

from __future__ import annotations

import sys

import click

from cnnkit.cli.command import Command, Group, ask_to_remove, say, show
from cnnkit.cli.options import json_option


@click.group(cls=Group, examples=["cnnkit cache list"])
def cache() -> None:
    """Show and clear what cnnkit keeps between runs."""


@click.command("list", cls=Command, examples=["cnnkit cache list --json"])
@json_option
def list_entries(as_json: bool) -> None:
    """List decoded pixels, features, built-in data, downloads and networks, with their sizes."""
    from cnnkit.data.cache_report import CacheReport

    show(CacheReport.now(), as_json)


@click.command(cls=Command, examples=["cnnkit cache clear pixels --yes"])
@click.argument("what", default="all")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def clear(what: str, yes: bool, as_json: bool) -> None:
    """Remove what is kept; it is made or downloaded again when it is needed.

    WHAT is all (the default), pixels, features, builtin, downloads, networks, or the beginning of
    one name that `cnnkit cache list` shows. If something cannot be removed, the exit code is 1.
    """
    from cnnkit.data.cache_report import CacheReport, remove

    chosen = CacheReport.now().choose(what)
    if chosen.entries and not yes:
        ask_to_remove(chosen.text())
    removed = remove(chosen)
    for sentence in removed.left:
        say(sentence)
    show(removed, as_json)
    if removed.left:
        sys.exit(1)


cache.add_section("Commands", [list_entries, clear])
