"""`cnnkit data pack`."""

from __future__ import annotations

import sys

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.data_argument import data_section
from cnnkit.cli.options import json_option, set_option
from cnnkit.errors import DataError


@click.command(cls=Command, examples=["cnnkit data pack photos/ --set data.image_size=96"])
@click.argument("source", metavar="SOURCE|CONFIG")
@set_option
@json_option
def pack(source: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Decode all images into the cache before training.

    Training uses them if its image_size, color_mode, resize and background are the same: give its
    config, or a source with `--set data.image_size=96` and so on.
    """
    from cnnkit.data.packing import pack_images
    from cnnkit.progress import report_for

    section = data_section(source, overrides)
    report = report_for(sys.stderr)
    with report.counting("packing images") as progress:
        packing = pack_images(section, progress=progress, note=report.note)
    failure = None
    try:
        packing.check(section.on_error, report.note)
    except DataError as error:
        # Raised by `show`, after the result: the other images are packed.
        failure = error
    show(packing, as_json, failure=failure)
