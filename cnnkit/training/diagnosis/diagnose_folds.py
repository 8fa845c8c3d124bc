"""Verdicts on a cross-validation: those of its folds, the most frequent first."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.runs import find_run
from cnnkit.runs.fold_runs import FoldRuns, find_folds
from cnnkit.text import first_few, quoted
from cnnkit.training.diagnosis.diagnose_run import diagnose_run
from cnnkit.training.diagnosis.verdict import (
    NOTHING,
    Diagnosis,
    Verdict,
    short_lines,
    trying_first_change,
)


@dataclass(frozen=True)
class FoldDiagnoses:
    """The verdicts on each fold.

    Args:
        folder: of the cross-validation.
        folds: the diagnosis of each trained fold, by its name.
        untrained: the names of the other folds.
    """

    folder: Path
    folds: Mapping[str, Diagnosis]
    untrained: tuple[str, ...] = ()

    def by_verdict(self) -> list[tuple[Verdict, list[str]]]:
        """Return each verdict, as the first fold has it, and all folds that have it."""
        found: dict[str, tuple[Verdict, list[str]]] = {}
        for name, diagnosis in self.folds.items():
            for verdict in diagnosis.verdicts:
                found.setdefault(verdict.name, (verdict, []))[1].append(name)
        return sorted(found.values(), key=lambda pair: -len(pair[1]))

    def text(self) -> str:
        """Return each verdict once, with the folds that have it."""
        parts = [
            f"{self._where(names)}:\n{verdict.text()}" for verdict, names in self.by_verdict()
        ] or [f"{NOTHING} in {self._where(list(self.folds)).lower()}."]
        if self.untrained:
            parts.append(f"Not judged, because it is not trained: {first_few(self.untrained, 10)}")
        return "\n\n".join(parts)

    def short_lines(self) -> list[str]:
        """Return at most three lines for the end of `train`."""
        return short_lines(self.folder, [verdict for verdict, _ in self.by_verdict()])

    def hints(self) -> list[str]:
        """Return what to type to try the first change; nothing if there is none."""
        verdicts = [verdict for verdict, _ in self.by_verdict()]
        number = str(len(self.folds) + len(self.untrained))
        return trying_first_change(self.folder, verdicts, "--folds", number)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run": str(self.folder),
            "folds": {name: diagnosis.as_dict() for name, diagnosis in self.folds.items()},
            "untrained": list(self.untrained),
        }

    def _where(self, names: list[str]) -> str:
        if len(names) == len(self.folds):
            return f"All {len(names)} folds" if len(names) > 1 else names[0]
        return f"{len(names)} of {len(self.folds)} folds ({first_few(names, 10)})"


def diagnose(
    name: str | os.PathLike[str] | None,
    runs_folder: Path,
    note: Callable[[str], Any] = warnings.warn,
) -> Diagnosis | FoldDiagnoses:
    """Return the verdicts on a run or on a cross-validation.

    Args:
        name: of its folder, or the folder; None means the newest finished run.
        runs_folder: where names are looked up.
        note: called with one sentence for each run that had to be skipped.

    Raises:
        UsageError: there is no such run, or one of its files is missing or damaged.
    """
    if name is not None and (folds := find_folds(name, runs_folder)):
        return diagnose_folds(folds)
    return diagnose_run(find_run(name, runs_folder, note))


def diagnose_folds(folds: FoldRuns) -> FoldDiagnoses:
    """Return the verdicts on the folds of a cross-validation that have been trained.

    Raises:
        UsageError: none has, or a file of one is damaged.
    """
    trained = [run for run in folds.runs if run.history.is_file()]
    if not trained:
        raise UsageError(
            f"No fold of {folds.folder} has finished an epoch. To continue: cnnkit train --resume "
            f"{quoted(folds.folder)}"
        )
    names = {run.name for run in trained}
    return FoldDiagnoses(
        folds.folder,
        {run.name: diagnose_run(run) for run in trained},
        tuple(run.name for run in folds.runs if run.name not in names),
    )
