"""Write `docs/cli.md` from the commands: the help of each one, as `--help` prints it.

With `--check`, nothing is written, and the exit code is 1 if the file is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from generated_file import write_or_check

from cnnkit.cli import main as cnnkit

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
WIDTH = 100

_INTRODUCTION = """\
# Commands

`make docs` writes this page from the help of the commands.

Exit codes: 0 done, 1 the work failed, 2 wrong usage or config, 3 a gate not met, 130 interrupted.
"""


def cli_docs() -> str:
    """Return the page: one section per command, sub-commands after their group."""
    sections = [
        f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
        for command, context in _commands(cnnkit, None, "cnnkit")
    ]
    return "\n".join([_INTRODUCTION, *sections])


def _commands(
    command: click.Command, parent: click.Context | None, name: str
) -> Iterator[tuple[click.Command, click.Context]]:
    context = click.Context(command, parent, name, terminal_width=WIDTH, **command.context_settings)
    yield command, context
    for inner_name in getattr(command, "commands", {}):
        if isinstance(command, click.Group):
            inner = command.get_command(context, inner_name)
            yield from _commands(inner, context, inner_name)
        else:  # `cnnkit predict merge`, without the arguments of `cnnkit predict`
            inner = command.commands[inner_name]
            yield from _commands(inner, parent, f"{name} {inner_name}")


if __name__ == "__main__":
    write_or_check(OUTPUT, cli_docs())
