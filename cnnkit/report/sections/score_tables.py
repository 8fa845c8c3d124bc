"""The metrics with their intervals, and those of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnkit.evaluation.all_metrics import CLASS_METRICS, HEADLINE_METRICS
from cnnkit.report.number_text import interval_text, metric_text
from cnnkit.report.run_facts import RunFacts, Scores
from cnnkit.report.section import Section

_MOST_SETS = 6  # columns of the table
_MEANINGS = {
    "accuracy": "share of right answers",
    "top5_accuracy": "share of images whose class is among the five most probable ones",
    "balanced_accuracy": "mean of the recalls: every class counts the same",
    "macro_f1": "mean F1 of the classes",
    "weighted_f1": "mean F1, large classes count more",
    "roc_auc": "chance that an image of a class is ranked above one of another class",
    "pr_auc": "mean precision at every recall",
    "log_loss": "how surprised the model is by the right classes; 0 is best",
    "brier_score": "squared error of the probabilities; 0 is best",
    "ece": "distance between confidence and accuracy; 0 is best",
    "cohen_kappa": "agreement beyond chance",
    "matthews_corrcoef": "correlation of answers and classes",
}
_WORD = {"f1": "F1", "roc_auc": "ROC AUC", "pr_auc": "PR AUC"}
OF_WORSENED = "-corruptions"  # ends the name of an evaluation with worsened copies
_NO_SCORES = "There is no evaluation yet."


def metrics_section(facts: RunFacts) -> Section:
    """Return the section with a column for each set of images."""
    if not facts.scores:
        return Section("metrics", "Metrics", missing=_NO_SCORES, command=evaluate_command(facts))
    # Next to its worsened copies, an evaluation has the same images once more as they are.
    again = {f"{name}{OF_WORSENED}" for name in facts.scores}
    chosen = [each for name, each in facts.scores.items() if name not in again][:_MOST_SETS]
    names = [name for name in HEADLINE_METRICS if any(name in each.metrics for each in chosen)]
    values = {
        "sets": [(each.name, each.metrics.get("num_images", 0)) for each in chosen],
        "rows": [(name, _MEANINGS[name], [_cell(name, each) for each in chosen]) for name in names],
        "folds": _folds(facts),
    }
    return Section("metrics", "Metrics", values)


def evaluate_command(facts: RunFacts) -> str:
    """Return the command that scores the run."""
    return f"cnnkit evaluate {facts.argument}"


def _cell(name: str, scores: Scores) -> tuple[str, str]:
    if name not in scores.metrics:
        return "", ""
    ends = scores.metrics.get("intervals", {}).get(name)
    return metric_text(name, scores.metrics[name]), interval_text(name, ends)


def _folds(facts: RunFacts) -> list[tuple[str, list[str]]]:
    """Return the metrics of each fold: (name of the fold, texts of accuracy, F1 and loss)."""
    rows = []
    for run in facts.folds:
        metrics = run.info().get("metrics", {}).get("test", {})
        keys = ("accuracy", "macro_f1", "log_loss")
        rows.append((run.name, [metric_text(key, metrics.get(key)) for key in keys]))
    return rows


def classes_section(facts: RunFacts) -> Section:
    """Return the section with a row for each class, which the page can sort."""
    judged = facts.judged
    if judged is None:
        return Section("classes", "Classes", missing=_NO_SCORES, command=evaluate_command(facts))
    per_class: Mapping[str, Mapping[str, Any]] = judged.metrics["per_class"]
    columns = [name for name in CLASS_METRICS if any(name in row for row in per_class.values())]
    values = {
        "set": judged.name,
        "columns": [_WORD.get(name, name) for name in columns],
        "rows": [
            (name, [_class_cell(column, row) for column in columns])
            for name, row in per_class.items()
        ],
    }
    return Section("classes", "Classes", values)


def _class_cell(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    value = row.get(name)
    if name == "support":
        return {"text": f"{value:,}", "interval": "", "sort": value}
    ends = row.get("intervals", {}).get(name)
    text = "" if value is None else metric_text(name, value)
    return {"text": text, "interval": interval_text(name, ends), "sort": value}
