"""`cnnkit init`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.data_argument import data_section, is_config
from cnnkit.cli.options import json_option, output_option, overwrite_option
from cnnkit.errors import UsageError


@click.command(cls=Command, examples=["cnnkit init photos/"])
@click.argument("source", metavar="SOURCE")
@output_option("The config to write. Default: the name of the source with .yaml, in this folder.")
@click.option(
    "--from-scratch",
    is_flag=True,
    help="Do not propose a pretrained network.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="How long the training may take on this computer. Default: no limit.",
)
@overwrite_option
@json_option
def init(
    source: str,
    output: Path | None,
    from_scratch: bool,
    minutes: float | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Look at your images and write a config that trains on them, with reasons.

    SOURCE is a folder of class folders, or anything else that data.source may be. All images are
    counted, and up to 500 of them are opened.
    """
    from cnnkit.output_guard import CONFIG, check_output
    from cnnkit.progress import report_for
    from cnnkit.proposal import write_proposal

    if is_config(source):
        raise UsageError(f"{source} is a config. Give init the images, for example a folder.")
    # Resolved, because `.` and `..` have no name of their own.
    output = output or Path(f"{Path(source).resolve().stem}.yaml")
    check_output(output, "--output", CONFIG, overwrite=overwrite, inputs=[source])
    section, report = data_section(source), report_for(sys.stderr)
    proposal = write_proposal(section, output, report, from_scratch=from_scratch, minutes=minutes)
    following = [f"next: {command}" for command in proposal.next_commands()]
    show(proposal, as_json, [proposal.time_note(), *following])
