"""The cache command, and what it lists."""

from __future__ import annotations

import json

from click.testing import CliRunner

from cnnkit.cli import main


def run(*words, **options):
    return CliRunner().invoke(main, ["cache", *map(str, words)], **options)


def listed():
    return json.loads(run("list", "--json").stdout)
