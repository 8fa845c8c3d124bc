"""Write the report of a named run: find it, check the place of the page, and add the card."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnkit.new_folders import check_writable
from cnnkit.output_guard import PAGE, check_output
from cnnkit.progress import Report
from cnnkit.report.model_card import with_model_card
from cnnkit.report.run_report import WrittenReport, write_report
from cnnkit.runs import Run, find_run, note_unfinished
from cnnkit.runs.fold_runs import FoldRuns, find_folds

Note = Callable[[str], Any]


def report_on(
    run: str | os.PathLike[str] | None,
    runs_folder: Path,
    output: Path | None = None,
    *,
    overwrite: bool = False,
    report: Report | None = None,
) -> WrittenReport:
    """Write the whole report of a run or of a cross-validation.

    The model card is written too, unless an output is named.

    Args:
        run: folder or name; None means the newest finished run.
        runs_folder: where names are looked up.
        output: the file; None for `report.html` of the run, which is replaced.
        overwrite: whether another file may be replaced.
        report: shows the progress and notes.

    Raises:
        UsageError: there is no such run, or the place is refused.
        DataError: results of an evaluation are damaged.
    """
    report = report or Report()
    found = find_reported(run, runs_folder, report.note)
    check_place(found, output, overwrite=overwrite)
    written = write_report(found, output, report=report)
    return with_model_card(written, found) if output is None else written


def find_reported(
    run: str | os.PathLike[str] | None, runs_folder: Path, note: Note
) -> Run | FoldRuns:
    """Return the run or the cross-validation with this folder or name.

    Args:
        run: None means the newest finished run.
        runs_folder: where names are looked up.
        note: called with the run that was chosen, and with what an unfinished one lacks.

    Raises:
        UsageError: there is no such run.
    """
    if run is not None and (folds := find_folds(run, runs_folder)):
        return folds
    found = find_run(run, runs_folder, note)
    if run is None:
        note(f"run: {found.folder}")
    note_unfinished(found, note)
    return found


def check_place(of: Run | FoldRuns, output: Path | None, *, overwrite: bool) -> None:
    """Refuse a place for the page before anything is computed.

    Args:
        of: the run.
        output: the file; None for `report.html` of the run, which is replaced.
        overwrite: whether another file may be replaced.

    Raises:
        UsageError: the place is refused.
    """
    if output is None:
        check_writable(of.folder, "Choose another place with --output.")
        check_output(of.report, "--output", PAGE, overwrite=True, in_run=True)
        return
    check_output(output, "--output", PAGE, overwrite=overwrite)
    check_writable(output.parent, "Choose another --output.")
