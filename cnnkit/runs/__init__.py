"""Run folders: what is in one, and which one is meant."""

from __future__ import annotations

from cnnkit.runs.lacking_files import lacking
from cnnkit.runs.lookup import (
    find_run,
    newest_run,
    note_unfinished,
    run_around,
    run_folder_or_path,
    run_of_file,
    unfinished_runs,
)
from cnnkit.runs.new_run import check_folder_name, check_new_run, create_run, folder_name_near
from cnnkit.runs.run_folder import Run

__all__ = [
    "Run",
    "check_folder_name",
    "check_new_run",
    "create_run",
    "find_run",
    "folder_name_near",
    "lacking",
    "newest_run",
    "note_unfinished",
    "run_around",
    "run_folder_or_path",
    "run_of_file",
    "unfinished_runs",
]
