"""A command as it is typed, and what a folder holds before and after it."""

from __future__ import annotations

from click.testing import CliRunner

from cnnkit.cli import main


def run(*words):
    return CliRunner().invoke(main, list(map(str, words)))


def contents_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
