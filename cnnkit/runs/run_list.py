"""All runs of a folder as a table that can be sorted, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.runs.fold_runs import FOLDS_FILE, FoldRuns, find_folds, read_folds
from cnnkit.runs.run_entry import RunEntry, read_entry
from cnnkit.tables import table_text
from cnnkit.text import count_of, first_few, shown

LOWER_IS_BETTER = ("log_loss", "ece", "brier_score")
_METRIC = "accuracy"  # the one that is shown unless the table is sorted by another one

# The columns by which a table can be sorted, besides metrics: the smallest value first, the newest
# time first.
_KEYS: Mapping[str, Callable[[RunEntry], Any]] = {
    "run": lambda entry: entry.name,
    "status": lambda entry: entry.status,
    "epochs": lambda entry: entry.number("epochs"),
    "minutes": lambda entry: entry.minutes,
    "parameters": lambda entry: entry.number("parameters"),
    "images": lambda entry: entry.num_images,
    "data": lambda entry: entry.source,
    "started": lambda entry: entry.info.get("started"),
}


@dataclass(frozen=True)
class RunList:
    """Runs in the order in which they are shown.

    Args:
        folder: the runs folder.
        entries: one per run; the folds of a cross-validation are one entry.
        split: whose metrics the table shows.
        metric: which of them.
    """

    folder: Path
    entries: Sequence[RunEntry]
    split: str = "test"
    metric: str = _METRIC

    def text(self) -> str:
        """Return a table with one row per run, and what is wrong with those that are damaged."""
        if not self.entries:
            return f"There is no run in {self.folder}."
        numbers = ["epochs", f"{self.split} {self.metric}", "minutes", "parameters", "images"]
        columns = ["run", "status", *numbers, "data", "started"]
        table = table_text(columns, [self._row(entry) for entry in self.entries], right=numbers)
        broken = [
            f"{shown(str(entry.folder))} is {entry.status}: {entry.problem}."
            for entry in self.entries
            if entry.status in ("damaged", "incomplete")
        ]
        return "\n".join([table, *broken])

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"folder": str(self.folder), "runs": [entry.as_dict() for entry in self.entries]}

    def _row(self, entry: RunEntry) -> list[str]:
        value = _metric_of(entry, self.split, self.metric)
        counts = [entry.number("epochs"), entry.number("parameters"), entry.num_images]
        epochs, parameters, images = ("" if each is None else f"{each:,.0f}" for each in counts)
        return [
            shown(entry.name),
            entry.status,
            epochs,
            "" if value is None else f"{value:.4f}",
            "" if entry.minutes is None else f"{entry.minutes:.1f}",
            parameters,
            images,
            shown(entry.shown_source),
            local_time(entry.info.get("started")),
        ]


@dataclass(frozen=True)
class BestRun:
    """The best of several runs.

    Args:
        ranked: all that were looked at, the best first; of equal ones, the newest.
        split: whose metrics decided.
        metric: which of them.
    """

    ranked: Sequence[RunEntry]
    split: str
    metric: str

    @property
    def run(self) -> RunEntry:
        """The best run."""
        return self.ranked[0]

    @property
    def value(self) -> float:
        """Its metric."""
        return self.run.metrics[self.split][self.metric]

    @property
    def equals(self) -> list[str]:
        """The names of other runs with the same value."""
        others = self.ranked[1:]
        return [run.name for run in others if run.metrics[self.split][self.metric] == self.value]

    @property
    def notes(self) -> list[str]:
        """Sentences for the user."""
        runs = count_of(len(self.ranked), "finished run")
        notes = [f"{self.split} {self.metric} {self.value:.4f}, the best of {runs}."]
        if self.equals:
            notes.append(f"As good: {first_few(self.equals)}. The newest one was chosen.")
        return notes

    def text(self) -> str:
        """Return the folder, so that a shell can use it."""
        return str(self.run.folder)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        chosen = {"split": self.split, "metric": self.metric, "value": self.value}
        return {**self.run.as_dict(), **chosen, "equals": self.equals, "of": len(self.ranked)}


def list_runs(runs_folder: Path) -> RunList:
    """Return all runs in a folder, also damaged and half-written ones, the newest first.

    Raises:
        UsageError: there is no such folder.
    """
    if not runs_folder.is_dir():
        raise UsageError(
            f"{shown(str(runs_folder))} is not a folder. Train a run (cnnkit train config.yaml), "
            "or give the folder of the runs with --runs-folder."
        )
    # A link to a run in the same folder would list it twice: the link itself is looked at last.
    links_last = sorted(runs_folder.iterdir(), key=lambda path: (path.is_symlink(), path))
    by_place: dict[Path, Path] = {}
    for path in links_last:
        if path.is_dir():
            by_place.setdefault(path.resolve(), path)
    folders = sorted(by_place.values())
    found = [entry for folder in folders if (entry := entry_of(folder))]
    return sort_runs(RunList(runs_folder, found), "started")


def sort_runs(runs: RunList, column: str, *, split: str = "test", reverse: bool = False) -> RunList:
    """Return runs in the order of a column; those without a value are last.

    Args:
        runs: what is sorted.
        column: of the table, or the name of any metric: the best comes first, and the table shows
            that metric.
        split: whose metrics count.
        reverse: the other way round.

    Raises:
        UsageError: there is no such column.
    """
    is_metric = column not in _KEYS
    if is_metric:
        _check_column(runs, column, split)
        runs = replace(runs, metric=column)
    key = _KEYS.get(column, partial(_metric_of, split=split, name=column))
    backwards = column == "started" or (is_metric and column not in LOWER_IS_BETTER)
    known = [entry for entry in runs.entries if key(entry) is not None]
    unknown = [entry for entry in runs.entries if key(entry) is None]
    known.sort(key=key, reverse=backwards != reverse)
    return replace(runs, entries=[*known, *unknown], split=split)


def best_run(
    runs: RunList, metric: str = _METRIC, *, split: str = "validation", data: str | None = None
) -> BestRun:
    """Return the finished run with the best value of a metric.

    Args:
        runs: among which one is chosen.
        metric: accuracy, log_loss, ...
        split: the one whose metrics decide. The test split should not: the figure of the run that
            did best on it is too high.
        data: the source of the images, as the list shows it; None if all runs have the same images.

    Raises:
        UsageError: no finished run has this metric, or the runs are of different images.
    """
    finished = [entry for entry in runs.entries if entry.status == "finished"]
    # A cross-validation is no model that could be used, and was scored on other images.
    finished = [entry for entry in finished if entry.num_folds is None]
    if data is not None:
        finished = [entry for entry in finished if data in (entry.source, entry.shown_source)]
    ranked = sort_runs(replace(runs, entries=finished), metric, split=split).entries
    ranked = [entry for entry in ranked if metric in entry.metrics.get(split, {})]
    if not ranked:
        of_data = f" of {data}" if data else ""
        raise UsageError(
            f"No finished run{of_data} in {runs.folder} has the {split} {metric}. `cnnkit runs` "
            "lists all of them."
        )
    if len({entry.data.get("fingerprint") for entry in ranked}) > 1:
        sources = sorted({entry.shown_source for entry in ranked})
        raise UsageError(
            f"The runs in {runs.folder} were trained on different images "
            f"({first_few(sources, 10)}), so that their metrics cannot be compared. Choose one "
            "source with --data, or name the runs: cnnkit compare RUN RUN."
        )
    return BestRun(ranked, split, metric)


def folds_to_resume(path: str | None, runs_folder: Path) -> FoldRuns | None:
    """Return the cross-validation that is meant, None if it is a run, or nothing, that is meant.

    Args:
        path: a folder or name; None means the newest training that did not finish.
        runs_folder: where names are looked up.
    """
    if path is not None:
        return find_folds(path, runs_folder)
    entries = list_runs(runs_folder).entries if runs_folder.is_dir() else []
    unfinished = [entry for entry in entries if entry.status in ("interrupted", "failed")]
    return find_folds(unfinished[0].folder, runs_folder) if unfinished else None


def _metric_of(entry: RunEntry, split: str, name: str) -> float | None:
    return entry.metrics.get(split, {}).get(name)


def _check_column(runs: RunList, column: str, split: str) -> None:
    metrics = {name for entry in runs.entries for name in entry.metrics.get(split, {})}
    if runs.entries and column not in metrics:
        allowed = [*_KEYS, *sorted(metrics)]
        raise UsageError(
            f"There is no column {column}.{did_you_mean(column, allowed)} Allowed: "
            f"{', '.join(allowed)}."
        )


def entry_of(folder: Path) -> RunEntry | None:
    """Return what is known of a run or a cross-validation, None if the folder is neither."""
    if not (folder / FOLDS_FILE).is_file():
        return read_entry(folder)
    try:
        folds = read_folds(folder)
    except ValueError as error:
        return RunEntry(folder, "damaged", f"its folds.json {error}")
    entries = [entry for run in folds.runs if (entry := read_entry(run.folder))]
    return _joined(folds, entries)


def _joined(folds: FoldRuns, entries: Sequence[RunEntry]) -> RunEntry:
    """Return the folds of a cross-validation as one entry, with the means of their metrics."""
    finished = [entry for entry in entries if entry.status == "finished"]
    first = entries[0].info if entries else {}
    info: dict[str, Any] = {key: first[key] for key in ("started", "parameters") if key in first}
    # The images of all folds are the same; only their splits differ.
    info["data"] = {**first.get("data", {}), "source": folds.source}
    info["seconds"] = sum(entry.number("seconds") or 0 for entry in entries)
    info["metrics"] = _mean_metrics(finished)
    others = [entry.status for entry in entries if entry.status != "finished"]
    status = "finished" if len(finished) == folds.num_folds else "interrupted"
    for worst in ("running", "damaged", "failed"):
        status = worst if worst in others else status
    done = f"{len(finished)} of {folds.num_folds} folds are finished"
    problem = None if status == "finished" else done
    return RunEntry(folds.folder, status, problem, info, folds.num_folds)


def _mean_metrics(entries: Iterable[RunEntry]) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, list[float]]] = {}
    for entry in entries:
        for split, metrics in entry.metrics.items():
            for name, value in metrics.items():
                if name == "num_images":  # not a metric: its mean says nothing
                    continue
                values.setdefault(split, {}).setdefault(name, []).append(value)
    return {
        split: {name: fmean(numbers) for name, numbers in metrics.items()}
        for split, metrics in values.items()
    }


def local_time(started: Any) -> str:
    """Return a time of run.json in the time zone of this computer, "" if it is not one."""
    try:
        return f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M}"
    except (TypeError, ValueError):
        return ""
