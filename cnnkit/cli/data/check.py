"""`cnnkit data check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.data.section import data_section, is_config
from cnnkit.cli.options import json_option, set_option
from cnnkit.errors import GateError

if TYPE_CHECKING:
    from cnnkit.data.check import Checked


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE|CONFIG")
@click.option("--strict", is_flag=True, help="Exit with 3 if there is an error or a warning.")
@click.option(
    "--list",
    "list_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the files that errors and warnings name, one a line.",
)
@click.option(
    "--contact-sheet",
    metavar="FILE.png",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the pairs of near duplicates side by side.",
)
@set_option
@json_option
def check(
    source: str,
    strict: bool,
    list_file: Path | None,
    contact_sheet: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Read every image and name what is wrong: broken files, leaks, label conflicts, odd classes.

    Nothing is ever deleted or moved.
    """
    from cnnkit.data.check import check_data
    from cnnkit.progress import report_for

    section = data_section(source, overrides)
    size = section.image_size if _says_size(source, overrides) else None
    with report_for(sys.stderr).counting("checking images") as progress:
        checked = check_data(section, image_size=size, progress=progress)
    _write(checked, list_file, contact_sheet)
    _print(checked, as_json)
    if strict and not checked.is_sound:
        raise GateError("--strict: there are errors or warnings.")


def _says_size(source: str, overrides: tuple[str, ...]) -> bool:
    """Tell whether `data.image_size` comes from the user, and is not what stands in for it."""
    return is_config(source) or any(text.startswith("data.image_size") for text in overrides)


def _write(checked: Checked, list_file: Path | None, contact_sheet: Path | None) -> None:
    from cnnkit.data.check.report import write_contact_sheet
    from cnnkit.runs import write_text

    if list_file is not None:
        files = checked.offending_files()
        write_text(list_file, "".join(f"{file}\n" for file in files))
        say(f"{list_file}: {len(files):,} files")
    if contact_sheet is not None:
        drawn, found = write_contact_sheet(checked, contact_sheet)
        left = f", {found - drawn:,} more are not drawn" if found > drawn else ""
        say(f"{contact_sheet}: {drawn:,} pairs{left}")


def _print(checked: Checked, as_json: bool) -> None:
    from cnnkit.data.check.report import report_text

    print_json(checked.as_dict()) if as_json else click.echo(report_text(checked))
