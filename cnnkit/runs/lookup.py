"""Find the run that a command should use: by folder, by name, or the newest one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.runs.fold_runs import FOLDS_FILE, find_folds
from cnnkit.runs.run_folder import Run
from cnnkit.runs.study_runs import STUDY_FILE, find_study
from cnnkit.text import quoted, shown

Note = Callable[[str], Any]


def find_run(
    path: str | os.PathLike[str] | None, runs_folder: Path, note: Note = warnings.warn
) -> Run:
    """Return the run with this folder, or with this name in the runs folder.

    Args:
        path: the folder or the name; None means the newest finished run.
        runs_folder: where names are looked up.
        note: called with one sentence for each run that had to be skipped.

    Raises:
        UsageError: there is no such run.
    """
    if path is None:
        return newest_run(runs_folder, note)
    for folder in (Path(path), runs_folder / path):  # a folder goes before a name
        if (folder / "run.json").is_file():
            return Run(folder)
    if folds := find_folds(path, runs_folder):
        example = quoted(folds.runs[0].folder)
        raise UsageError(
            f"{path} is a cross-validation of {folds.num_folds} folds. Name one of them, for "
            f"example {example}"
        )
    if any((folder / STUDY_FILE).is_file() for folder in (Path(path), runs_folder / path)):
        study = find_study(path, runs_folder)
        raise UsageError(
            f"{path} is a study, whose trials are its runs. Name one of them, for example "
            f"{study.trial(0).argument}, or list them: cnnkit runs --runs-folder {study.argument}"
        )
    names = sorted(
        file.parent.name
        for kind in ("run.json", FOLDS_FILE)
        for file in runs_folder.glob(f"*/{kind}")
    )
    listed = f" Runs in {runs_folder}: {', '.join(map(shown, names))}."
    if not names:
        listed = (
            f" There is no run in {runs_folder}/ either. Train one (cnnkit train CONFIG), or go to "
            "the folder in which you trained."
        )
    nearest = did_you_mean(Path(path).name, names)
    raise UsageError(f"{path} is not a run folder (it has no run.json).{nearest}{listed}")


def run_folder_or_path(path: Path, runs_folder: Path) -> Path:
    """Return the folder of the run with this name; any other path as it is.

    A run is often named like the folder of its images, which is no run.
    """
    is_other = path.is_file() or (path / "run.json").is_file()
    is_name = not is_other and (runs_folder / path / "run.json").is_file()
    return runs_folder / path if is_name else path


def newest_run(runs_folder: Path, note: Note = warnings.warn) -> Run:
    """Return the finished run that was started last.

    A run whose run.json cannot be read is skipped: one damaged folder must not stop every command
    that names no run.

    Args:
        runs_folder: where the runs are.
        note: called with one sentence for each run that had to be skipped.

    Raises:
        UsageError: there is no finished run.
    """
    found = [run for run, info in _newest_first(runs_folder, note) if info["status"] == "finished"]
    if not found:
        raise UsageError(
            f"There is no finished run in {runs_folder}/. Train one (cnnkit train config.yaml), "
            "or name one with --model."
        )
    return found[0]


def unfinished_runs(runs_folder: Path, note: Note = warnings.warn) -> list[Run]:
    """Return the runs that did not finish, the one that was started last first.

    Args:
        runs_folder: where the runs are.
        note: called with one sentence for each run that had to be skipped.
    """
    return [run for run, info in _newest_first(runs_folder, note) if info["status"] != "finished"]


def run_of_file(path: Path) -> Run:
    """Return the run whose folder contains a file, at any depth.

    Raises:
        UsageError: the file is in no run folder.
    """
    if run := run_around(path):
        return run
    raise UsageError(f"{path} is not in a run folder, so there is no place for its results.")


def run_around(path: Path) -> Run | None:
    """Return the run whose folder contains a file, at any depth; None if there is none."""
    for folder in path.resolve().parents:
        if (folder / "run.json").is_file():
            inside = Path.cwd() in folder.parents
            return Run(folder.relative_to(Path.cwd()) if inside else folder)
    return None


def note_unfinished(run: Run, note: Note) -> str:
    """Say that a run is not finished and how to continue it; return its status.

    Args:
        run: whose weights are used.
        note: called with the sentence; not at all for a finished run.
    """
    try:
        info = run.read_info()
    except ValueError:  # it is damaged; its weights can be used nevertheless
        return "unknown"
    status, epochs = info["status"], run.num_epochs()
    after = f" after epoch {epochs}" if epochs else ""
    if status == "running":
        note(f"{run.folder} is still being trained: these are its best weights so far.")
    elif status != "finished":
        verb = "failed" if status == "failed" else "was interrupted"
        note(
            f"{run.folder} is not finished: its training {verb}{after}. To continue it: "
            f"cnnkit train --resume {run.argument}"
        )
    return status


def _newest_first(runs_folder: Path, note: Note) -> list[tuple[Run, dict[str, Any]]]:
    """Return the runs that can be read with their run.json, the one started last first."""
    found = []
    # By the time in run.json: copying or syncing a folder changes the time of its files.
    for run in _run_folders(runs_folder):
        try:
            found.append((run, run.read_info()))
        except ValueError as error:
            note(f"Skipped {run.folder}: its run.json {error}.")
    return sorted(found, key=lambda pair: pair[1]["started"], reverse=True)


def _run_folders(runs_folder: Path) -> list[Run]:
    return [Run(path.parent) for path in sorted(runs_folder.glob("*/run.json"))]
