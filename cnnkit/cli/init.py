"""`cnnkit init`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.options import json_option
from cnnkit.errors import UsageError


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The config to write. By default the source's name with .yaml, here.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file where it exists.")
@json_option
def init(source: str, output: Path | None, overwrite: bool, as_json: bool) -> None:
    """Look at the images of a folder and write a config that trains on them, with reasons.

    SOURCE is a folder of class folders, or anything else that data.source may be. All images are
    counted, and up to 500 are opened.
    """
    from cnnkit.cli.data.section import data_section
    from cnnkit.config import load_config
    from cnnkit.progress import report_for
    from cnnkit.proposal import look_at, propose, relative_source
    from cnnkit.runs import write_text

    output = output or Path(f"{Path(source).resolve().stem}.yaml")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists. Give another --output, or --overwrite.")
    section = data_section(source)
    with report_for(sys.stderr).counting("looking at images") as progress:
        findings = look_at(section, progress)
    write_text(output, propose(findings, relative_source(section.source, output)) + "\n")
    load_config(output)
    if as_json:
        return print_json({"config": str(output), "images": findings.num_images})
    click.echo(output)
    for command in ("data preview", "summary", "train"):
        say(f"next: cnnkit {command} {output}")
