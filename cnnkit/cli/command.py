"""Commands with our exit codes, an example in their help, and one way to print a result."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import click

from cnnkit.cli.commands_by_name import CommandsByName
from cnnkit.cli.failure import Interrupted, failure_of
from cnnkit.errors import CnnkitError
from cnnkit.memory import explaining_lack_of_memory, this_computer_has
from cnnkit.streams import guard_streams, json_text

_WHOLE_SENTENCE = 1_000  # characters; click cuts a command's sentence off at its limit


class _Program(click.Command):
    """How every command and group ends: its words on stderr, its JSON on stdout, its exit code.

    A CnnkitError ends with its own exit code, Ctrl-C with 130. With `--json`, a failure is one line
    of JSON on stdout as well. `--debug` shows the traceback.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and end the process, unless `standalone_mode` is False."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        guard_streams()
        words = sys.argv[1:] if args is None else args
        try:
            # Not in click's standalone mode, in which it ends the process with its own exit codes.
            sys.exit(super().main(args, prog_name, complete_var, False, **extra) or 0)
        except Exception as error:
            failure = failure_of(error)
            # Searched among the words, because the options may be what could not be read.
            if "--json" in words and not failure.is_shown:
                with contextlib.suppress(OSError):  # stdout itself may be what failed
                    click.echo(json_text(failure.facts, sys.stdout))
            if isinstance(error, click.ClickException):
                error.show()
            elif failure.is_bug or "--debug" in words:
                raise
            else:
                say(failure.text)
            sys.exit(failure.exit_code)


class Command(_Program):
    """A command whose expected failures print their text, not a traceback.

    Args:
        examples: command lines to show at the end of `--help`.
        commands: commands that are meant if the first argument is their name.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        commands: Mapping[str, click.Command] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.commands = dict(commands or {})
        self.params.append(
            click.Option(["--debug"], is_flag=True, help="Show the traceback when a command fails.")
        )

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the arguments; those of a subcommand are its own."""
        if args and (command := self.commands.get(args[0])):
            return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples; a command line is never wrapped."""
        write_examples(self.examples, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        del ctx.params["debug"]  # `main` has seen it
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGHUP"):  # a closed terminal, too, is the same as Ctrl-C
                number = getattr(signal, name, None)
                # Not if it is ignored, as after `nohup`, or if a program has a handler.
                if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, signal.default_int_handler)
        try:
            with _saying_where_to_write(self), explaining_lack_of_memory(_general_need):
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:  # a training says what is kept and how to continue
            raise Interrupted(str(interrupt) or "Interrupted.") from interrupt


class Group(_Program, click.Group):
    """Commands under headings, in the order in which a user needs them.

    Args:
        examples: command lines to show at the end of `--help`.
        default_command: the command that is meant if none is named.
    """

    command_class = Command
    group_class = type

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        default_command: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, commands=CommandsByName(), **kwargs)
        self.examples = tuple(examples)
        self._default_command = default_command
        self._sections: dict[str, Sequence[str]] = {}

    def add_section(self, heading: str, commands: Sequence[click.Command | str]) -> None:
        """Add commands that `--help` lists under one heading.

        Args:
            heading: the heading.
            commands: commands, or names of files of `cnnkit.cli` with a command of the same name.
        """
        by_name = {each if isinstance(each, str) else each.name: each for each in commands}
        self._sections[heading] = tuple(by_name)
        for name, command in by_name.items():
            self.commands[name] = None if isinstance(command, str) else command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; without a command, they are those of the default command."""
        is_option = not args or args[0].startswith("-")
        if self._default_command and is_option and not set(args) & set(ctx.help_option_names):
            args = [self._default_command, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order in which they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first sentence of each command's help, whole; long ones are wrapped."""
        width = max(map(len, self.commands))  # one width for all sections
        for heading, names in self._sections.items():
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(_WHOLE_SENTENCE))
                for name in names
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


def show(
    result: Result,
    as_json: bool,
    hints: Sequence[str] = (),
    *,
    notes: Sequence[str] = (),
    failure: CnnkitError | None = None,
    **options: Any,
) -> None:
    """Print a result on stdout.

    Args:
        result: what the command found or made.
        as_json: print one JSON document instead of text.
        hints: sentences that only a person needs, such as what to do next; they go to stderr.
        notes: sentences about the result for stderr, also with JSON.
        failure: how the command ends although it has a result, such as a requirement that is not
            met. It is raised after the result is printed; its facts are part of the document.
        options: arguments of `result.text`.
    """
    if as_json:
        print_json(
            {**result.as_dict(), **failure_of(failure).facts} if failure else result.as_dict()
        )
    else:
        if text := result.text(**options):
            click.echo(text)
        for hint in hints:
            say(hint)
    for note in notes:
        say(note)
    if failure is not None:
        failure.is_shown = as_json
        raise failure


def say(text: str) -> None:
    """Write a line for people to stderr."""
    click.echo(text, err=True)


def ask_to_remove(what: str) -> None:
    """Show what will be removed, and end the command unless the answer is yes."""
    if not _can_ask():
        raise click.UsageError("Cannot ask for confirmation without a terminal. Add --yes.")
    say(what)
    click.confirm("Remove all this?", abort=True, err=True)


def _can_ask() -> bool:
    # Python has None here if the program was started without standard input.
    return sys.stdin is not None and sys.stdin.isatty()


def print_json(value: Any) -> None:
    """Write the one JSON document of `--json` to stdout."""
    click.echo(json_text(value, sys.stdout, indent=2))


def write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    """Write command lines under the heading "Examples", one per line."""
    if not examples:
        return
    with formatter.section("Example" if len(examples) == 1 else "Examples"):
        for line in examples:
            formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


@contextlib.contextmanager
def _saying_where_to_write(command: click.Command) -> Iterator[None]:
    """Add to an error about a file that cannot be written which option names another place."""
    try:
        yield
    except OSError as error:
        options = {parameter.name for parameter in command.params}
        # A failed training has said what to do, in a line of its own.
        if error.filename and _is_about_writing(error) and "\n" not in error.strerror:
            if "output" in options:
                error.strerror = f"{error.strerror}. Choose another place with -o."
            elif "runs_folder" in options:
                error.strerror = f"{error.strerror}. Set --runs-folder to another folder."
        raise


def _is_about_writing(error: OSError) -> bool:
    if error.errno in (errno.EACCES, errno.EPERM):  # these may be about reading as well
        return not os.access(os.path.dirname(error.filename) or ".", os.W_OK)
    return error.errno in (errno.EROFS, errno.ENOSPC)


def _general_need() -> str:
    """Return the advice for commands that do not know better what needs the memory."""
    return (
        f"This needs more, and {this_computer_has()}. Close other programs, or use smaller images, "
        "a smaller data.batch_size or a smaller model."
    )
