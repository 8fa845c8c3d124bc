"""The summary command, and its JSON document."""

from __future__ import annotations

from click.testing import CliRunner

from cnnkit.cli import main


def summary_of(*words):
    return CliRunner().invoke(main, ["summary", *map(str, words)])
