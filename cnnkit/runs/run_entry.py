"""What is known of one run, however damaged it is: its status, metrics, data and times."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnkit.runs.in_training import is_in_training
from cnnkit.runs.run_files import is_half_written
from cnnkit.runs.run_folder import Run

Metrics = Mapping[str, Mapping[str, float]]  # by split, then by name


@dataclass(frozen=True)
class RunEntry:
    """One run folder.

    Args:
        folder: of the run.
        status: running, finished, failed, interrupted; `damaged` if files are missing or cannot be
            read, `incomplete` if there is no run.json.
        problem: why it is damaged or incomplete, or why it failed.
        info: run.json; empty if it cannot be read.
        num_folds: of a cross-validation; None for a run.
    """

    folder: Path
    status: str
    problem: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    num_folds: int | None = None

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def metrics(self) -> Metrics:
        """The metrics of each split that was evaluated, without those of single classes."""
        found = self.info.get("metrics")
        if not isinstance(found, dict):
            return {}
        return {
            split: {key: value for key, value in values.items() if is_number(value)}
            for split, values in found.items()
            if isinstance(values, dict)
        }

    @property
    def data(self) -> Mapping[str, Any]:
        """What run.json has about the images; empty if it has nothing."""
        return self.info.get("data", {})

    @property
    def source(self) -> str | None:
        """Where the images are from: a path, or the name of a built-in."""
        source = self.data.get("source")
        return source if isinstance(source, str) else None

    @property
    def shown_source(self) -> str:
        """The source as people see it: a path inside the current folder is relative."""
        source = self.source or ""
        relative = os.path.relpath(source) if os.path.isabs(source) else source
        return source if relative.startswith("..") else relative

    @property
    def num_images(self) -> int | None:
        """The number of images of all splits."""
        counts = self.data.get("counts")
        if not isinstance(counts, dict):
            return None
        splits = [split for split in counts.values() if isinstance(split, dict)]
        return sum(number for split in splits for number in split.values() if is_number(number))

    @property
    def minutes(self) -> float | None:
        """How long the training took."""
        seconds = self.number("seconds")
        return None if seconds is None else seconds / 60

    def number(self, key: str) -> float | None:
        """Return a number of run.json, None if it has none."""
        value = self.info.get(key)
        return value if is_number(value) else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "status": self.status,
            "problem": self.problem,
            "folds": self.num_folds,
            "started": self.info.get("started"),
            "minutes": None if self.minutes is None else round(self.minutes, 2),
            "epochs": self.number("epochs"),
            "best_epoch": self.number("best_epoch"),
            "parameters": self.number("parameters"),
            "data": self.source,
            "images": self.num_images,
            "metrics": {split: dict(values) for split, values in self.metrics.items()},
        }


def read_entry(folder: Path) -> RunEntry | None:
    """Return what is known of a run folder, None if the folder is not one."""
    run = Run(folder)
    if not os.path.lexists(folder / "run.json"):
        if not is_half_written(folder):
            return None
        lost = "it has no run.json: the training was killed at its start, or the file was lost"
        return RunEntry(folder, "incomplete", lost)
    try:
        info = run.read_info()
    except ValueError as error:
        return RunEntry(folder, "damaged", f"its run.json {error}")
    status, reason = info["status"], info.get("error")
    problem: str | None = reason if isinstance(reason, str) else None
    if status != "finished" and is_in_training(run):
        status = "running"
    elif status == "running":  # run.json has the number of a process that no longer holds the lock
        status = "interrupted"
    elif status == "finished" and (missing := _missing(run)):
        status, problem = "damaged", f"{', '.join(missing)} missing or empty"
    return RunEntry(folder, status, problem, info)


def is_number(value: Any) -> bool:
    """Tell whether a value of a JSON file is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _missing(run: Run) -> list[str]:
    """Return the files that every finished run has and this one lacks."""
    needed = (run.config, run.classes, run.split, run.history, run.best, run.tflite, run.golden)
    return [
        path.relative_to(run.folder).as_posix()
        for path in needed
        if not path.is_file() or not path.stat().st_size
    ]
