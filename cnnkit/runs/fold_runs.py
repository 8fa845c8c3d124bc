"""The folder of a cross-validation: one run per fold, each of which tests on another fold."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.files import PATHS_AS_THEY_ARE, open_regular, write_json
from cnnkit.runs.run_folder import Run

FOLDS_FILE = "folds.json"
MOST_FOLDS = 100  # each is a training of its own; catches a zero too many


@dataclass(frozen=True)
class FoldRuns:
    """The runs of a cross-validation.

    Args:
        folder: of all of it.
        num_folds: how many there are, trained or not.
        source: of the images that were divided into folds.
    """

    folder: Path
    num_folds: int
    source: str

    @property
    def runs(self) -> Sequence[Run]:
        """One run per fold; its folder exists once its training has begun."""
        return [Run(self.folder / f"fold{number}") for number in range(1, self.num_folds + 1)]

    @property
    def config(self) -> Path:
        """The config of all folds; its source is the one that was divided into folds."""
        return self.folder / "config.yaml"

    @property
    def manifest(self) -> Path:
        """The name from which those of the manifests are made: split.fold1.csv and so on."""
        return self.folder / "split.csv"

    @property
    def lock(self) -> Path:
        """Locked by the process that trains the folds; removed when it ends."""
        return self.folder / ".lock"

    @property
    def report(self) -> Path:
        """The page to hand on."""
        return self.folder / "report.html"

    def evaluation(self, name: str) -> Path:
        """Return the folder of the pooled results, as in `evaluation("test")`."""
        return self.folder / "evaluation" / name

    def write(self) -> None:
        """Write the file by which the folder is known."""
        facts = {"num_folds": self.num_folds, "source": self.source}
        write_json(self.folder / FOLDS_FILE, facts)


def find_folds(path: str | os.PathLike[str], runs_folder: Path) -> FoldRuns | None:
    """Return the cross-validation with this folder or name, None if there is none.

    Raises:
        UsageError: its file folds.json is damaged.
    """
    for folder in (Path(path), runs_folder / path):  # a folder goes before a name
        if (folder / FOLDS_FILE).is_file():
            try:
                return read_folds(folder)
            except ValueError as error:
                raise UsageError(f"{folder / FOLDS_FILE} {error}.") from error
    return None


def read_folds(folder: Path) -> FoldRuns:
    """Return the cross-validation in a folder that has a folds.json.

    Raises:
        ValueError: the file cannot be used; the text continues "folds.json ...".
    """
    try:
        with open_regular(str(folder / FOLDS_FILE)) as file:
            facts: Any = json.loads(file.read().decode(**PATHS_AS_THEY_ARE))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is damaged: {error}") from error
    number, source = map(facts.get, ("num_folds", "source")) if isinstance(facts, dict) else (0, "")
    if not isinstance(number, int) or not 2 <= number <= MOST_FOLDS:
        raise ValueError(f"is damaged: num_folds must be from 2 to {MOST_FOLDS}")
    if not isinstance(source, str):
        raise ValueError("is damaged: source must be a text")
    return FoldRuns(folder, number, source)
