"""`cnnkit config check|show|schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cnnkit.cli.command import Command, Group, print_json, say
from cnnkit.cli.options import json_option, set_option


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
    from cnnkit.config import check_config

    results = {str(path): check_config(path, overrides) for path in paths}
    wrong = [problem for problems in results.values() for problem in problems]
    if as_json:
        print_json({path: [p.as_dict() for p in problems] for path, problems in results.items()})
    for problem in wrong:
        say(str(problem))
    for path, problems in results.items():
        if not problems and not as_json:
            click.echo(f"{path}: fine")
    if wrong:
        raise SystemExit(2)


@click.command(cls=Command, examples=["cnnkit config show photos.yaml > complete.yaml"])
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@json_option
def show(path: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print a config with every default filled in and every override applied."""
    from cnnkit.config import config_as_dict, dump_config, load_config

    loaded = load_config(path, overrides)
    print_json(config_as_dict(loaded)) if as_json else click.echo(dump_config(loaded), nl=False)


@click.command(cls=Command, examples=["cnnkit config schema > schema.json"])
def schema() -> None:
    """Print the JSON Schema with which an editor completes and checks keys."""
    from cnnkit.config import json_schema

    click.echo(json.dumps(json_schema(), indent=1))


config.add_section("Commands", [check, show, schema])
