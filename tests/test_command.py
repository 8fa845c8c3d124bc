"""How every command ends, and how results are printed."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from cnnkit.cli import main
from cnnkit.cli.command import Command, show
from cnnkit.errors import CnnkitError, GateError, UsageError


@dataclass(frozen=True)
class Count:
    """A result."""

    number: int

    def text(self):
        return f"{self.number} imäges"

    def as_dict(self):
        return {"imäges": self.number}


def _ends_with(error):
    @click.command(cls=Command)
    def fails():
        raise error

    return fails


def test_a_result_is_text_with_hints_for_people_or_one_json_document():
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def count(as_json):
        show(Count(3), as_json, ["next: cnnkit train a.yaml"])

    done = CliRunner().invoke(count)
    assert (done.stdout, done.stderr) == ("3 imäges\n", "next: cnnkit train a.yaml\n")
    done = CliRunner().invoke(count, ["--json"])
    assert (json.loads(done.stdout), done.stderr) == ({"imäges": 3}, "")
    assert "imäges" in done.stdout  # not escaped


@pytest.mark.parametrize(
    ("error", "exit_code", "text"),
    [
        (CnnkitError("It failed."), 1, "It failed."),
        (UsageError("It is wrong."), 2, "It is wrong."),
        (GateError("It is too low."), 3, "It is too low."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), 1,
         "a.csv: No space left on device"),
        (OSError(errno.EACCES, "Permission denied"), 1, "Permission denied"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_an_expected_failure_prints_its_text_and_debug_the_traceback(error, exit_code, text):
    done = CliRunner().invoke(_ends_with(error))
    assert (done.exit_code, done.stdout, done.stderr) == (exit_code, "", f"{text}\n")
    done = CliRunner().invoke(_ends_with(error), ["--debug"])
    if not isinstance(error, KeyboardInterrupt):  # click turns it into its own Abort
        assert done.exception is error


def test_an_unexpected_error_is_not_hidden():
    done = CliRunner().invoke(_ends_with(ZeroDivisionError()))
    assert isinstance(done.exception, ZeroDivisionError)


def _leaves(command, name=""):
    for inner in command.commands.values():
        if isinstance(inner, click.Group):
            yield from _leaves(inner, f"{inner.name} ")
        else:
            yield name + inner.name, inner


@pytest.mark.parametrize(("name", "command"), list(_leaves(main)))
def test_every_command_is_of_our_kind_and_prints_json(name, command):
    assert isinstance(command, Command)
    options = {word for option in command.params for word in option.opts}
    assert "--debug" in options
    assert "--json" in options or name == "config schema"  # which prints nothing else


def test_config_is_optional_in_the_usage_line_because_of_resume():
    usage = CliRunner().invoke(main, ["train", "--help"], prog_name="cnnkit").stdout
    assert usage.startswith("Usage: cnnkit train [OPTIONS] [CONFIG]\n")
    done = CliRunner().invoke(main, ["train"])
    assert (done.exit_code, "Missing argument 'CONFIG' (or --resume)." in done.stderr) == (2, True)
