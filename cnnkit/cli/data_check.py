"""`cnnkit data check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.data_argument import data_section, is_config
from cnnkit.cli.options import json_option, overwrite_option, set_option
from cnnkit.errors import GateError
from cnnkit.text import shown

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
@overwrite_option
@set_option
@json_option
def check(
    source: str,
    strict: bool,
    list_file: Path | None,
    contact_sheet: Path | None,
    overwrite: bool,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Read every image and name what is wrong: broken files, leaks, label conflicts, odd classes.

    Nothing is ever deleted or moved.
    """
    from cnnkit.data.check import check_data
    from cnnkit.files import LIST, PICTURE, check_output
    from cnnkit.progress import report_for

    check_output(list_file, "--list", LIST, overwrite=overwrite)
    check_output(contact_sheet, "--contact-sheet", PICTURE, overwrite=overwrite)
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
    from cnnkit.files import write_text
    from cnnkit.text import count_of

    if list_file is not None:
        files = checked.offending_files()
        write_text(list_file, "".join(f"{shown(file)}\n" for file in files))
        say(f"{shown(str(list_file))}: {count_of(len(files), 'file')}")
    if contact_sheet is not None:
        from cnnkit.plots.contact_sheet import write_contact_sheet

        drawn, found = write_contact_sheet(checked, contact_sheet)
        more = f", {found - drawn:,} more not drawn" if found > drawn else ""
        there = shown(str(contact_sheet))
        say(
            f"{there}: {count_of(drawn, 'pair')}{more}"
            if drawn
            else f"There are no near duplicates: {there} is not written."
        )


def _print(checked: Checked, as_json: bool) -> None:
    from cnnkit.data.check.report import report_text

    print_json(checked.as_dict()) if as_json else click.echo(report_text(checked))
