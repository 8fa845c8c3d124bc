"""Click's command with our exit codes: an expected failure prints its text, no traceback."""

from __future__ import annotations

import errno
import io
import json
import signal
import sys
import threading
from typing import Any

import click

from cnnkit.errors import CnnkitError

INTERRUPTED = 130


class Command(click.Command):
    """Turns CnnkitError into its exit code and Ctrl-C into 130; `--debug` shows the traceback."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--debug"], is_flag=True, help="Show the traceback of an expected failure too."
            )
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        debug = ctx.params.pop("debug", False)
        if isinstance(sys.stdout, io.TextIOWrapper):  # names that are not UTF-8 stay as they are
            sys.stdout.reconfigure(errors="surrogateescape")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
        try:
            return super().invoke(ctx)
        except CnnkitError as error:
            if debug:
                raise
            click.echo(str(error), err=True)
            sys.exit(error.exit_code)
        except OSError as error:  # a full disk, a folder in a file's place, no permission
            if debug or error.errno in (None, errno.EPIPE):
                raise
            place = error.filename or _standard_output()
            click.echo(f"{place}: {error.strerror}" if place else error.strerror, err=True)
            sys.exit(CnnkitError.exit_code)
        except KeyboardInterrupt:
            if debug:
                raise
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)


def _standard_output() -> str:
    """Return what to call standard output where it cannot be written; else an empty string."""
    try:
        sys.stdout.flush()
    except OSError:
        return "standard output"
    return ""


class Group(click.Group):
    """A group whose commands are of our kind."""

    command_class = Command
    group_class = type


def say(text: str) -> None:
    """Write a line for people to stderr."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Write the one JSON document of `--json` to stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
