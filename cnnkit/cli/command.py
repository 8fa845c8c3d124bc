"""Commands with our exit codes, an example in their help, and one way to print a result."""

from __future__ import annotations

import errno
import io
import json
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import click

from cnnkit.errors import CnnkitError
from cnnkit.memory import explaining_lack_of_memory, this_computer_has

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_WHOLE_SENTENCE = 1_000  # characters; click cuts a command's sentence off at its limit


class Command(click.Command):
    """A command whose expected failures print their text, not a traceback.

    A CnnkitError ends with its own exit code, Ctrl-C with 130. `--debug` shows the traceback.

    Args:
        examples: command lines to show at the end of `--help`.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.params.append(
            click.Option(
                ["--debug"], is_flag=True, help="Show the traceback of an expected failure too."
            )
        )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples; a command line is never wrapped."""
        write_examples(self.examples, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        debug = ctx.params.pop("debug", False)
        if isinstance(sys.stdout, io.TextIOWrapper):  # file names that are not UTF-8 stay unchanged
            sys.stdout.reconfigure(errors="surrogateescape")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # the same as Ctrl-C
        try:
            with explaining_lack_of_memory(_general_need):
                return super().invoke(ctx)
        except CnnkitError as error:
            if debug:
                raise
            click.echo(str(error), err=True)
            sys.exit(error.exit_code)
        except OSError as error:  # a full disk, a folder instead of a file, no permission
            if debug or error.errno in (None, errno.EPIPE):
                raise
            place = error.filename or _standard_output()
            click.echo(f"{place}: {error.strerror}" if place else error.strerror, err=True)
            sys.exit(CnnkitError.exit_code)
        except KeyboardInterrupt as error:  # a training says what is kept and how to continue
            if debug:
                raise
            click.echo(str(error) or "Interrupted.", err=True)
            sys.exit(INTERRUPTED)


class Group(click.Group):
    """Commands under headings, in the order in which a user needs them."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self._sections: dict[str, Sequence[click.Command]] = {}

    def add_section(self, heading: str, commands: Sequence[click.Command]) -> None:
        """Add commands that `--help` lists under one heading."""
        self._sections[heading] = commands
        for command in commands:
            self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order in which they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first sentence of each command's help, whole; long ones are wrapped."""
        width = max(map(len, self.commands))  # one width for all sections
        for heading, commands in self._sections.items():
            rows = [
                (command.name.ljust(width), command.get_short_help_str(_WHOLE_SENTENCE))
                for command in commands
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(self.examples, formatter)


class Result(Protocol):
    """What a command found or made."""

    def text(self, **options: Any) -> str:
        """Return it as text for people."""

    def as_dict(self) -> Any:
        """Return it as plain values for `--json`."""


def show(result: Result, as_json: bool, hints: Sequence[str] = (), **options: Any) -> None:
    """Print a result on stdout.

    Args:
        result: what the command found or made.
        as_json: print one JSON document instead of text.
        hints: sentences that only a person needs, such as what to do next; they go to stderr.
        options: arguments of `result.text`.
    """
    if as_json:
        return print_json(result.as_dict())
    if text := result.text(**options):
        click.echo(text)
    for hint in hints:
        say(hint)


def say(text: str) -> None:
    """Write a line for people to stderr."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Write the one JSON document of `--json` to stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    """Write command lines under the heading "Examples", one per line."""
    if not examples:
        return
    with formatter.section("Example" if len(examples) == 1 else "Examples"):
        for line in examples:
            formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _general_need() -> str:
    """Return the advice for commands that do not know better what needs the memory."""
    return (
        f"This needs more, and {this_computer_has()}. Close other programs, or use smaller images, "
        "a smaller data.batch_size or a smaller model."
    )


def _standard_output() -> str:
    """Return "standard output" if it cannot be written to, else an empty string."""
    try:
        sys.stdout.flush()
    except OSError:
        return "standard output"
    return ""
