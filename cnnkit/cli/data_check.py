"""`cnnkit data check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.data_argument import data_section, is_config
from cnnkit.cli.options import json_option, overwrite_option, set_option
from cnnkit.errors import DataError, GateError

if TYPE_CHECKING:
    from cnnkit.data.check import Checked


@click.command(cls=Command, examples=["cnnkit data check photos/ --list bad.txt --strict"])
@click.argument("source", metavar="SOURCE|CONFIG")
@click.option("--strict", is_flag=True, help="Exit with 3 if there is an error or a warning.")
@click.option(
    "--list",
    "list_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the files that errors and warnings name, one per line.",
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
    """Read every image and report what is wrong: broken files, leaks, conflicts, odd classes.

    Nothing is ever deleted or moved.
    """
    from cnnkit.data.check import check_data
    from cnnkit.output_guard import LIST, PICTURE, check_output
    from cnnkit.progress import report_for

    # Before the images are read, which may take minutes.
    check_output(list_file, "--list", LIST, overwrite=overwrite, inputs=[source])
    check_output(contact_sheet, "--contact-sheet", PICTURE, overwrite=overwrite, inputs=[source])
    section = data_section(source, overrides)
    size = section.image_size if _states_size(source, overrides) else None
    report = report_for(sys.stderr)
    with report.counting("checking images") as progress:
        checked = check_data(section, image_size=size, progress=progress)
    for sentence in checked.notes:
        report.note(sentence)
    _write_files(checked, list_file, contact_sheet)
    failure = _unusable(checked)
    if strict and not checked.is_sound:
        failure = GateError("--strict: there are errors or warnings.")
    show(checked, as_json, failure=failure)


def _unusable(checked: Checked) -> DataError | None:
    """Return an error if there was nothing to check."""
    if checked.num_images:
        return None
    return DataError("Nothing was checked: there is no image.")


def _states_size(source: str, overrides: tuple[str, ...]) -> bool:
    """Tell whether `data.image_size` comes from the user, not from `data_section`."""
    return is_config(source) or any(text.startswith("data.image_size") for text in overrides)


def _write_files(checked: Checked, list_file: Path | None, contact_sheet: Path | None) -> None:
    if list_file is not None:
        say(checked.write_list(list_file))
    if contact_sheet is not None:
        from cnnkit.plots.contact_sheet import contact_sheet_text, write_contact_sheet

        say(contact_sheet_text(contact_sheet, *write_contact_sheet(checked, contact_sheet)))
