"""Which run a report is about, and where the page may be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnkit.new_folders import check_writable
from cnnkit.output_guard import PAGE, check_output
from cnnkit.runs import Run, find_run, note_unfinished
from cnnkit.runs.fold_runs import FoldRuns, find_folds

Note = Callable[[str], Any]


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
