"""What a command says when it fails: a text for people, facts for `--json`, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from cnnkit.errors import CnnkitError, reason_of
from cnnkit.streams import is_stdout_lost


class Interrupted(CnnkitError):
    """Ctrl-C, or a signal that means the same."""

    exit_code = 130  # 128 + SIGINT, as shells report it
    kind = "interrupted"


class Failure(NamedTuple):
    """How a command ends that did not do its work.

    Args:
        text: what people see.
        kind: usage, config, data, ...; docs/runs.md lists them.
        exit_code: what the shell sees.
        more: other facts, such as the problems of a config.
        is_shown: whether the JSON of the result has these facts already.
        is_bug: whether nobody expected it, so that the traceback is shown.
    """

    text: str
    kind: str
    exit_code: int
    more: Mapping[str, Any]
    is_shown: bool = False
    is_bug: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """The JSON object that is printed with `--json`."""
        return {"error": self.text, "kind": self.kind, "exit_code": self.exit_code, **self.more}


def failure_of(error: Exception) -> Failure:
    """Return what to say about an error that ended a command."""
    if isinstance(error, CnnkitError):
        return Failure(str(error), error.kind, error.exit_code, error.more(), error.is_shown)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), "usage", error.exit_code, {})
    if isinstance(error, ModuleNotFoundError) and not (error.name or "cnnkit").startswith("cnnkit"):
        package = (error.name or "").partition(".")[0]
        text = (
            f"This needs the package {package}, which is not installed here. `pip install cnnkit` "
            "brings it; `cnnkit-predict` is for `cnnkit predict` alone."
        )
        return Failure(text, "usage", click.UsageError.exit_code, {"package": package})
    if isinstance(error, click.Abort):  # Ctrl-C while options were read, or "no" to a question
        is_interrupt = isinstance(error.__cause__, KeyboardInterrupt)
        return failure_of(Interrupted("Interrupted.") if is_interrupt else CnnkitError("Aborted!"))
    if isinstance(error, OSError) and error.errno is not None:
        # A full disk, a folder instead of a file, no permission.
        place = error.filename or ("standard output" if is_stdout_lost() else "")
        text = f"{place}: {error.strerror}" if place else str(error.strerror)
        return Failure(text, "file", CnnkitError.exit_code, {"path": str(place)} if place else {})
    text = f"{type(error).__name__}: {reason_of(error)}"
    return Failure(text, "bug", CnnkitError.exit_code, {}, is_bug=True)
