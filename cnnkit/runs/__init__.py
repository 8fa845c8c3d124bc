"""Run folders: what is in one, and which one is meant."""

from __future__ import annotations

from cnnkit.runs.lookup import find_run, newest_run, run_of_file, unfinished_runs
from cnnkit.runs.run_folder import RUNS_FOLDER, Run, check_folder_name, create_run, quoted

__all__ = [
    "RUNS_FOLDER",
    "Run",
    "check_folder_name",
    "create_run",
    "find_run",
    "newest_run",
    "quoted",
    "run_of_file",
    "unfinished_runs",
]
