"""Compare two or more runs: every run against the best one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.comparison.compared_runs import ComparedRun, read_compared
from cnnkit.comparison.comparison_text import differences_table, pair_text, runs_table
from cnnkit.comparison.config_differences import (
    ABSENT,
    ConfigDifference,
    effective_differences,
)
from cnnkit.comparison.metric_differences import metric_differences
from cnnkit.comparison.pair import Pair, compare_pair
from cnnkit.comparison.paired_tests import holm
from cnnkit.comparison.same_images import positions_in
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import UsageError
from cnnkit.text import first_few, shown

Note = Callable[[str], Any]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs on the same images, compared with the best of them.

    Args:
        runs: two in the order in which they were given; more with the best first.
        pairs: of two runs, the one pair, in the order in which they were given; of more, the best
            run with each other one.
        differences: the keys in which the configs differ; their values are in the order of `runs`.
        evaluation: the name of the evaluation whose predictions were compared.
    """

    runs: tuple[ComparedRun, ...]
    pairs: tuple[Pair, ...]
    differences: tuple[ConfigDifference, ...]
    evaluation: str

    @property
    def best(self) -> ComparedRun:
        """The run with the highest accuracy; of equal ones, the one with the smaller log loss."""
        return min(self.runs, key=_rank)

    @property
    def equals(self) -> list[str]:
        """The names of the runs that are not distinguishable from the best one."""
        open_pairs = [pair for pair in self.pairs if not pair.is_distinguishable]
        names = [
            pair.first if pair.second == self.best.name else pair.second for pair in open_pairs
        ]
        return [run.name for run in self.runs if run.name in names]

    @property
    def verdict(self) -> str:
        """What the comparison says, in one or two sentences."""
        if len(self.pairs) == 1:
            settle = self.pairs[0].what_would_settle_it()
            return f"{self.pairs[0].verdict()} {settle}".strip()
        best = shown(self.best.name)
        if not self.equals:
            return f"{best} is the best: each of the others is worse by more than chance explains."
        if len(self.equals) == len(self.pairs):
            return f"{best} has the highest accuracy, but no other run is distinguishable from it."
        return (
            f"{best} has the highest accuracy, not distinguishable from "
            f"{first_few(self.equals, 10)}. The others are worse."
        )

    def text(self) -> str:
        """Return the verdict, and tables of the runs, of the pair and of the configs."""
        parts = [self.verdict, runs_table(self.runs, self.pairs)]
        if len(self.pairs) == 1:
            parts.append(pair_text(self.pairs[0]))
        parts.append(differences_table(self.runs, self.differences))
        return "\n\n".join(part for part in parts if part)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        names = [run.name for run in self.runs]
        return {
            "verdict": self.verdict,
            "best": self.best.name,
            "equals": self.equals,
            "evaluation": self.evaluation,
            "runs": [run.as_dict() for run in self.runs],
            "pairs": [pair.as_dict() for pair in self.pairs],
            "config_differences": {
                each.key: {
                    name: value
                    for name, value in zip(names, each.values, strict=True)
                    if value is not ABSENT
                }
                for each in self.differences
            },
        }

    as_dict = to_dict  # the name that commands use


def compare(
    runs: Sequence[str | os.PathLike[str]],
    *,
    runs_folder: str | os.PathLike[str] = RUNS_FOLDER,
    evaluation: str = "test",
    note: Note = lambda sentence: None,
) -> Comparison:
    """Compare runs on the images of one evaluation.

    Args:
        runs: at least two: folders or names of runs or of cross-validations, or CSV files with
            predictions.
        runs_folder: where names are looked up.
        evaluation: the folder in evaluation/ of each run whose predictions.csv is compared.
        note: called with each sentence for the user.

    Raises:
        UsageError: there is no such run or evaluation, or the runs were scored on other images.
        DataError: predictions cannot be read.
    """
    if isinstance(runs, str) or len(runs) < 2:
        raise UsageError("Name at least two runs to compare: cnnkit compare RUN RUN.")
    given = _with_own_names(
        [read_compared(run, Path(runs_folder), evaluation=evaluation, note=note) for run in runs]
    )
    ranked = given if len(given) == 2 else sorted(given, key=_rank)
    pairs = [
        replace(compare_pair(ranked[0], other), metrics=metric_differences(ranked[0], other))
        for other in ranked[1:]
    ]
    if len(pairs) > 1:
        corrected = holm([pair.p_value for pair in pairs]).tolist()
        pairs = [pair.corrected(p) for pair, p in zip(pairs, corrected, strict=True)]
    configs = [run.config for run in ranked]
    differences = effective_differences(configs) if all(configs) else []
    return Comparison(tuple(ranked), tuple(pairs), tuple(differences), evaluation)


def _rank(run: ComparedRun) -> tuple[float, float]:
    return -run.accuracy, run.log_loss


def _with_own_names(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    """Return the runs with names that differ; runs of one name in two folders get their paths."""
    places = [run.path.resolve() for run in runs]
    twice = [run for run, place in zip(runs, places, strict=True) if places.count(place) > 1]
    if twice:
        raise UsageError(f"{shown(str(twice[0].path))} is given twice. Name different runs.")
    names = [run.name for run in runs]
    return [run if names.count(run.name) == 1 else replace(run, name=str(run.path)) for run in runs]


def disagreements(runs: Sequence[ComparedRun]) -> list[dict[str, str]]:
    """Return path, label and each run's prediction for images that only some runs get right."""
    first = runs[0]
    order = [positions_in(run, first) for run in runs]
    right = np.stack(
        [run.predictions.is_correct[own] for run, own in zip(runs, order, strict=True)]
    )
    differing = np.flatnonzero(right.any(axis=0) & ~right.all(axis=0))
    rows = []
    for index in differing.tolist():
        row = {
            "path": first.predictions.paths[index],
            "label": first.predictions.class_names[first.predictions.labels[index]],
        }
        for run, own in zip(runs, order, strict=True):
            row[run.name] = run.predictions.class_names[run.predictions.predicted[own[index]]]
        rows.append(row)
    return rows
