"""The folder of a study: one run per trial of `cnnkit tune`, and those of the final trainings."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.files import PATHS_AS_THEY_ARE, open_regular, write_json
from cnnkit.runs.run_folder import Run
from cnnkit.text import quoted

STUDY_FILE = "study.json"


@dataclass(frozen=True)
class StudyRuns:
    """The files of a study.

    Args:
        folder: of all of it.
    """

    folder: Path

    @property
    def argument(self) -> str:
        """The folder as a word of a shell command."""
        return quoted(self.folder)

    @property
    def config(self) -> Path:
        """The config with the search, as the user wrote it."""
        return self.folder / "config.yaml"

    @property
    def storage(self) -> Path:
        """Optuna's SQLite file, unless the study is in another storage."""
        return self.folder / "study.db"

    @property
    def best_config(self) -> Path:
        """The config of the best trial."""
        return self.folder / "best.yaml"

    @property
    def table(self) -> Path:
        """CSV with one row per trial."""
        return self.folder / "trials.csv"

    @property
    def final(self) -> Path:
        """The folder of the final trainings."""
        return self.folder / "final"

    @property
    def lock(self) -> Path:
        """Locked by a process while it chooses what it trains next."""
        return self.folder / ".lock"

    def trial(self, number: int) -> Run:
        """Return the run of a trial; its folder exists once its training has begun."""
        return Run(self.folder / f"trial{number:03}")

    def claim(self, run: Run) -> Path:
        """Return the file that is locked by the process that trains a run of the study."""
        return run.folder.with_name(f".{run.name}.lock")

    def plot(self, name: str) -> Path:
        """Return the path of a picture, as in `plot("history")`."""
        return self.folder / "plots" / f"{name}.png"

    def runs(self) -> Sequence[Run]:
        """Return the runs that exist: those of the trials, then the final ones."""
        trials, finals = self.folder.glob("trial*/run.json"), self.final.glob("*/run.json")
        return [Run(path.parent) for path in (*sorted(trials), *sorted(finals))]

    def write(self, settings: dict[str, Any]) -> None:
        """Write the file by which the folder is known."""
        write_json(self.folder / STUDY_FILE, settings)

    def settings(self, keys: Collection[str]) -> dict[str, Any]:
        """Return what `write` wrote.

        Args:
            keys: that the settings must have.

        Raises:
            UsageError: the file cannot be read or is damaged.
        """
        path = self.folder / STUDY_FILE
        try:
            with open_regular(str(path)) as file:
                settings: Any = json.loads(file.read().decode(**PATHS_AS_THEY_ARE))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path} is damaged: {error}.") from error
        if not isinstance(settings, dict) or (lost := set(keys) - set(settings)):
            what = ", ".join(sorted(lost)) if isinstance(settings, dict) else "all of its keys"
            raise UsageError(f"{path} is damaged: it lacks {what}.")
        return settings


def studies_in(runs_folder: Path) -> list[Path]:
    """Return the folders of the studies in a runs folder."""
    return sorted(found.parent for found in runs_folder.glob(f"*/{STUDY_FILE}"))


def find_study(path: str | os.PathLike[str] | None, runs_folder: Path) -> StudyRuns:
    """Return the study with this folder or name.

    Args:
        path: None means the study whose folder was changed last.
        runs_folder: where names are looked up, and where one is chosen.

    Raises:
        UsageError: there is no such study.
    """
    there = studies_in(runs_folder)
    if path is None:
        if there:
            return StudyRuns(max(there, key=lambda folder: (folder.stat().st_mtime, folder)))
        raise UsageError(f"There is no study in {runs_folder}/. Start one: cnnkit tune CONFIG.")
    for folder in (Path(path), runs_folder / path):  # a folder goes before a name
        if (folder / STUDY_FILE).is_file():
            return StudyRuns(folder)
    names = [folder.name for folder in there]
    listed = f" Studies in {runs_folder}: {', '.join(names)}." if names else ""
    raise UsageError(f"{path} is not the folder of a study (it has no {STUDY_FILE}).{listed}")
