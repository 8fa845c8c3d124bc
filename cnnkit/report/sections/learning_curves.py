"""The curves of the training: loss, accuracy and learning rate over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from cnnkit.learning_rate_schedules import best_epoch
from cnnkit.report.charts import Line, axis_of, column_of, line_chart
from cnnkit.report.number_text import metric_text
from cnnkit.report.run_facts import RunFacts, read_history
from cnnkit.report.section import Section
from cnnkit.report.sections.overlaid_curves import overlaid_curves
from cnnkit.runs.fold_runs import read_folds
from cnnkit.text import count_of, duration_text
from cnnkit.training.diagnosis import Verdict, diagnose_folds, diagnose_run
from cnnkit.training.diagnosis.verdict import NOTHING

_CHARTS = {
    "loss": (("training", "train_loss"), ("validation", "val_loss")),
    "accuracy": (("training", "train_accuracy"), ("validation", "val_accuracy")),
    "learning rate": (("learning rate", "learning_rate"),),
}


class Told(NamedTuple):
    """A verdict on the training.

    Args:
        verdict: what is wrong, or may be.
        folds: of a cross-validation, the names of the folds that it is about.
    """

    verdict: Verdict
    folds: Sequence[str] = ()


class Verdicts(NamedTuple):
    """What `cnnkit diagnose` says of the training.

    Args:
        told: the most important verdict first.
        notes: why there is none, and what could not be judged.
    """

    told: Sequence[Told] = ()
    notes: Sequence[str] = ()


def find_verdicts(facts: RunFacts) -> Verdicts:
    """Return the verdicts on a run, or on all folds of a cross-validation."""
    if facts.folds:
        found = diagnose_folds(read_folds(facts.folder)).by_verdict()
        told = [Told(verdict, names) for verdict, names in found]
        return Verdicts(told, () if told else (f"{NOTHING} in any fold.",))
    if not facts.history:
        return Verdicts()
    diagnosis = diagnose_run(facts.run)
    healthy = () if diagnosis.verdicts else (diagnosis.nothing_text(),)
    not_judged = (f"Not judged: {text}" for text in diagnosis.not_judged)
    return Verdicts([Told(each) for each in diagnosis.verdicts], (*healthy, *not_judged))


def curves_section(facts: RunFacts, verdicts: Verdicts) -> Section:
    """Return the section of the curves, with what they say."""
    rows = facts.history
    if facts.folds:
        values = {
            "verdicts": verdicts,
            "charts": [],
            "folds": overlaid_curves({run.name: read_history(run.history) for run in facts.folds}),
            "command": f"cnnkit report {facts.folds[0].argument}",
        }
        return Section("curves", "Training", values)
    if not rows:
        return Section("curves", "Training", missing="No epoch is finished yet.")
    best = _best_epoch(facts)
    begins = [
        row["epoch"] - 0.5
        for before, row in pairwise(rows)
        if before.get("phase") != row.get("phase")
    ]
    values = {
        "verdicts": verdicts,
        "charts": [
            chart
            for title, columns in _CHARTS.items()
            if (chart := _chart(title, columns, rows, best, begins)) is not None
        ],
        "summary": _summary(facts, best),
        "has_phases": bool(begins),
        "rows": rows,
        "best": best,
    }
    return Section("curves", "Training", values)


def _best_epoch(facts: RunFacts) -> int:
    recorded = facts.info.get("best_epoch")
    if isinstance(recorded, int):
        return recorded
    monitor = facts.config.training.monitor
    rows = [row for row in facts.history if monitor in row] or facts.history
    values = [row.get(monitor, 0.0) for row in rows]
    return int(rows[best_epoch(values, larger_is_better=monitor.endswith("accuracy"))]["epoch"])


def _chart(
    title: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Mapping[str, float]],
    best: int,
    begins: Sequence[float],
) -> Markup | None:
    lines = [Line(name, column_of(rows, column)) for name, column in columns if column in rows[-1]]
    if not lines:
        return None
    epochs = [row["epoch"] for row in rows]
    y = axis_of(title, [value for line in lines for _, value in line.points])
    ends = "; ".join(
        f"{line.name} from {line.points[0][1]:.3g} in epoch {epochs[0]:.0f} to "
        f"{line.points[-1][1]:.3g} in epoch {epochs[-1]:.0f}"
        for line in lines
    )
    x = axis_of("epoch", epochs, whole=True)
    return line_chart(lines, x, y, summary=f"{title}: {ends}.", marked=best, dashed=begins)


def _summary(facts: RunFacts, best: int) -> str:
    rows = facts.history
    seconds = facts.info.get("seconds")
    took = f" in {duration_text(seconds)}" if isinstance(seconds, int | float) else ""
    chosen = next((row for row in rows if row["epoch"] == best), rows[-1])
    parts = [
        f"{words} {metric_text('accuracy', chosen[column])}"
        for words, column in (("training", "train_accuracy"), ("validation", "val_accuracy"))
        if column in chosen
    ]
    accuracies = f" (accuracy: {', '.join(parts)})" if parts else ""
    return f"{count_of(len(rows), 'epoch')}{took}; the best is epoch {best}{accuracies}."
