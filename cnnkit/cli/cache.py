"""`cnnkit cache ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cnnkit.cli.command import Group, print_json, say
from cnnkit.cli.options import json_option

if TYPE_CHECKING:
    from cnnkit.data.cache_entries import CacheEntry


@click.group(cls=Group)
def cache() -> None:
    """Show and clear what cnnkit keeps between runs."""


@cache.command("list")
@json_option
def list_entries(as_json: bool) -> None:
    """List decoded pixels, built-in data and downloads, with their sizes."""
    from cnnkit.data.cache.folder import cache_folder
    from cnnkit.data.cache_entries import list_cache

    entries = list_cache()
    if as_json:
        total = sum(entry.num_bytes for entry in entries)
        listed = [entry.as_dict() for entry in entries]
        return print_json({"folder": str(cache_folder()), "bytes": total, "entries": listed})
    click.echo(_table(entries) if entries else f"Nothing is kept in {cache_folder()}.")


@cache.command()
@click.argument("what", default="all")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def clear(what: str, yes: bool, as_json: bool) -> None:
    """Remove what is kept; it is made or downloaded again when it is needed.

    WHAT is all (the default), pixels, builtin, downloads, or the beginning of the name of one thing
    in `cnnkit cache list`.
    """
    from cnnkit.data.cache_entries import choose_entries, list_cache, remove_entries

    chosen = choose_entries(list_cache(), what)
    if chosen and not yes:
        _ask(chosen)
    freed, left = remove_entries(chosen)
    for sentence in left:
        say(sentence)
    _print_freed(len(chosen) - len(left), freed, as_json)


def _ask(chosen: Sequence[CacheEntry]) -> None:
    if not _can_ask():
        raise click.UsageError("Nobody is there to be asked: add --yes.")
    click.echo(_table(chosen), err=True)
    click.confirm("Remove all this?", abort=True, err=True)


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _print_freed(removed: int, freed: int, as_json: bool) -> None:
    from cnnkit.text import size_text

    if as_json:
        return print_json({"removed": removed, "bytes": freed})
    click.echo(f"Removed {removed:,}, freed {size_text(freed)}.")


def _table(entries: Sequence[CacheEntry]) -> str:
    from cnnkit.text import size_text

    header = ["kind", "images", "size", "what", "last used", "path"]
    rows = [header, *(_row(entry) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    total = sum(entry.num_bytes for entry in entries)
    return "\n".join([*lines, f"{size_text(total)} in all"])


def _row(entry: CacheEntry) -> list[str]:
    from datetime import datetime

    from cnnkit.text import size_text

    return [
        entry.kind,
        "unfinished" if entry.unfinished else "" if entry.images is None else f"{entry.images:,}",
        size_text(entry.num_bytes),
        _pixels(entry.settings) or _features(entry.features),
        f"{datetime.fromtimestamp(entry.last_used):%Y-%m-%d %H:%M}",
        str(entry.path),
    ]


def _pixels(settings: dict[str, Any] | None) -> str:
    if settings is None:
        return ""
    height, width = settings["image_size"]
    return (
        f"{height} x {width} {settings['color_mode']}, {settings['resize']}, "
        f"background {settings['background']}"
    )


def _features(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return ""
    view = "" if facts.get("view") is None else f", augmented view {facts['view'] + 1}"
    return f"{' x '.join(map(str, facts['shape'][1:]))} of {facts['backbone']}{view}"
