"""`cnnkit config check|show|schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cnnkit.cli.command import Command, Group, say, show
from cnnkit.cli.options import json_option, set_option
from cnnkit.errors import UsageError


@click.group(cls=Group, examples=["cnnkit config check photos.yaml"])
def config() -> None:
    """Check a config, print it with every default, or print the JSON Schema."""


@click.command(cls=Command, examples=["cnnkit config check photos.yaml --set training.epochs=3"])
@click.argument(
    "paths", metavar="CONFIG...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@set_option
@json_option
def check(paths: tuple[Path, ...], overrides: tuple[str, ...], as_json: bool) -> None:
    """Check configs and report all mistakes at once, each with its line; exit code 2 on any."""
    from cnnkit.config.config_results import check_configs

    checked = check_configs(paths, overrides)
    for error in checked.errors():
        say(str(error))
    show(checked, as_json, notes=checked.notes())
    if checked.errors():
        # The errors are shown already; raising one of them would print it again.
        raise SystemExit(UsageError.exit_code)


@click.command("show", cls=Command, examples=["cnnkit config show photos.yaml > complete.yaml"])
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@json_option
def show_config(path: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print a config with every default filled in and every override applied."""
    from cnnkit.config import load_config
    from cnnkit.config.config_results import CompleteConfig

    show(CompleteConfig(load_config(path, overrides)), as_json)


@click.command(cls=Command, examples=["cnnkit config schema > schema.json"])
def schema() -> None:
    """Print the JSON Schema with which an editor completes and checks keys."""
    from cnnkit.config import json_schema

    click.echo(json.dumps(json_schema(), indent=1))


config.add_section("Commands", [check, show_config, schema])
