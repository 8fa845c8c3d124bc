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
from cnnkit.errors import (
    CnnkitError,
    ConfigError,
    DataError,
    GateError,
    ImageError,
    Problem,
    UsageError,
)


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


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("--output", ". Choose another place with -o."),
        ("--runs-folder", ". Set --runs-folder to another folder."),
        ("--other", ""),
    ],
)
def test_a_file_that_cannot_be_written_names_the_option_for_another_place(option, advice):
    @click.command(cls=Command)
    @click.option(option)
    def fails(**_):
        raise OSError(errno.EROFS, "Read-only file system", "/x/a.png")

    done = CliRunner().invoke(fails)
    assert (done.exit_code, done.stderr) == (1, f"/x/a.png: Read-only file system{advice}\n")


def test_an_unexpected_error_is_not_hidden():
    done = CliRunner().invoke(_ends_with(ZeroDivisionError()))
    assert isinstance(done.exception, ZeroDivisionError)


def _fails_as_json(error):
    command = _ends_with(error)
    command.params.append(click.Option(["--json", "as_json"], is_flag=True, expose_value=False))
    return CliRunner().invoke(command, ["--json"])


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (CnnkitError("It failed."), {"error": "It failed.", "kind": "failed", "exit_code": 1}),
        (UsageError("It is wrong."), {"error": "It is wrong.", "kind": "usage", "exit_code": 2}),
        (GateError("Too low."), {"error": "Too low.", "kind": "requirement", "exit_code": 3}),
        (DataError("No class.", path="a/b"),
         {"error": "No class.", "kind": "data", "exit_code": 1, "path": "a/b"}),
        (ImageError("it is cut off", kind="truncated"),
         {"error": "it is cut off", "kind": "truncated", "exit_code": 1}),
        (ConfigError([Problem("is wrong.", "a.yaml:1:2", ("data",))]),
         {"error": "a.yaml:1:2  data  is wrong.", "kind": "config", "exit_code": 2,
          "problems": [Problem("is wrong.", "a.yaml:1:2", ("data",)).as_dict()]}),
        (KeyboardInterrupt("Kept."), {"error": "Kept.", "kind": "interrupted", "exit_code": 130}),
        (OSError(errno.ENOSPC, "No space left", "a.csv"),
         {"error": "a.csv: No space left", "kind": "file", "exit_code": 1, "path": "a.csv"}),
        (click.UsageError("No."), {"error": "No.", "kind": "usage", "exit_code": 2}),
        (click.Abort(), {"error": "Aborted!", "kind": "failed", "exit_code": 1}),
        (ZeroDivisionError("by 0"),
         {"error": "ZeroDivisionError: by 0", "kind": "bug", "exit_code": 1}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_failure_with_json_is_one_line_of_json_on_stdout(error, facts):
    done = _fails_as_json(error)
    assert json.loads(done.stdout) == facts
    assert done.stdout.count("\n") == 1  # so that it is also a line of `predict --json`
    assert done.exit_code == facts["exit_code"]
    assert facts["kind"] == "bug" or facts["error"] in done.stderr


def test_a_failure_after_the_result_is_in_the_same_document():
    @click.command(cls=Command)
    @click.option("--json", "as_json", is_flag=True)
    def count(as_json):
        show(Count(3), as_json, notes=["3 of 4"], failure=GateError("Too few."))

    done = CliRunner().invoke(count, ["--json"])
    facts = {"imäges": 3, "error": "Too few.", "kind": "requirement", "exit_code": 3}
    assert (json.loads(done.stdout), done.stderr, done.exit_code) == (
        facts,
        "3 of 4\nToo few.\n",
        3,
    )
    done = CliRunner().invoke(count)
    assert (done.stdout, done.stderr) == ("3 imäges\n", "3 of 4\nToo few.\n")


def _leaves(command, name=""):
    for inner in command.commands.values():
        if isinstance(inner, click.Group):
            yield from _leaves(inner, f"{inner.name} ")
        else:
            yield name + inner.name, inner


@pytest.mark.parametrize("name", [name for name, _ in _leaves(main)] + ["", "data", "nonsense"])
def test_every_command_reports_wrong_usage_as_json(name):
    done = CliRunner().invoke(main, [*name.split(), "--json", "--no-such-option"])
    assert done.exit_code == 2
    facts = json.loads(done.stdout)
    assert (facts["kind"], facts["exit_code"]) == ("usage", 2)
    assert facts["error"].startswith("No such ") and facts["error"] in done.stderr


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
