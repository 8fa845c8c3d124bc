"""`cnnkit data pack`."""

from __future__ import annotations

import sys

import click

from cnnkit.cli.command import Command, print_json
from cnnkit.cli.data_argument import data_section
from cnnkit.cli.options import json_option, set_option


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE|CONFIG")
@set_option
@json_option
def pack(source: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Decode all images into the cache ahead of training.

    Training finds them there where its image_size, color_mode, resize and background are the same:
    give its config, or a source with `--set data.image_size=96` and so on.
    """
    from cnnkit.data.packing import pack_images
    from cnnkit.progress import report_for

    section = data_section(source, overrides)
    report = report_for(sys.stderr)
    with report.counting("packing images") as progress:
        packing = pack_images(section, progress=progress, note=report.note)
    print_json(packing.as_dict()) if as_json else click.echo(packing.as_text())
    packing.check(section.on_error, report.note)
