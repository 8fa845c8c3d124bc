"""`cnnkit init`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import json_option, overwrite_option
from cnnkit.errors import UsageError
from cnnkit.text import shown


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The config to write. By default the source's name with .yaml, here.",
)
@click.option(
    "--from-scratch", is_flag=True, help="Propose no pretrained network, however few images."
)
@overwrite_option
@json_option
def init(
    source: str, output: Path | None, from_scratch: bool, overwrite: bool, as_json: bool
) -> None:
    """Look at the images of a folder and write a config that trains on them, with reasons.

    SOURCE is a folder of class folders, or anything else that data.source may be. All images are
    counted, and up to 500 are opened.
    """
    from cnnkit.cli.data_argument import data_section
    from cnnkit.files import CONFIG, check_output
    from cnnkit.progress import report_for
    from cnnkit.proposal import look_at, write_proposal

    _check_is_source(source)
    output = output or Path(f"{Path(source).resolve().stem}.yaml")
    check_output(output, "--output", CONFIG, overwrite=overwrite)
    report = report_for(sys.stderr)
    with report.counting("looking at images") as progress:
        findings = look_at(data_section(source), progress, from_scratch=from_scratch)
    for sentence in findings.source.notes:
        report.note(sentence)
    write_proposal(findings, output)
    if as_json:
        left_aside = list(findings.source.notes)
        facts = {"config": str(output), "images": findings.num_images, "left_aside": left_aside}
        return print_json(facts)
    click.echo(shown(str(output)))
    for command in ("data preview", "summary", "train"):
        say(f"next: cnnkit {command} {shlex.quote(str(output))}")


def _check_is_source(source: str) -> None:
    from cnnkit.cli.data_argument import is_config

    if is_config(source):
        raise UsageError(f"{source} is a config. Give init what data.source is to be: a folder.")
