"""What the model is, how good it is, and what a reader should know first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnnkit.report.kind_of_images import kind_of_images
from cnnkit.report.number_text import interval_text, metric_text, percent
from cnnkit.report.run_facts import RunFacts, Scores
from cnnkit.report.section import Section
from cnnkit.report.sections.learning_curves import Verdicts
from cnnkit.report.sections.request import network_in_words
from cnnkit.text import count_of, first_few

_CARDS = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}
_MOST_NAMES = 12
_UNFINISHED = {
    "running": "It is still being trained: what follows is its state so far.",
    "interrupted": "Its training was interrupted: what follows is its state so far.",
    "failed": "Its training failed: what follows is its state so far.",
}


def headline_section(facts: RunFacts, verdicts: Verdicts) -> Section:
    """Return the first section: the headline numbers, and what a reader should know first.

    Args:
        facts: of the run.
        verdicts: on its training.
    """
    names = facts.class_names
    judged = facts.judged
    number = count_of(len(names), "class", "classes")
    values = {
        "what": f"{kind_of_images(facts).classifier} for {number} "
        f"({first_few(names, _MOST_NAMES)}): {network_in_words(facts.config.model)}.",
        "state": _state(facts),
        "verdict": "" if judged is None else _verdict(facts, judged),
        "cards": [] if judged is None else list(_cards(judged)),
        "warnings": list(_warnings(facts, judged)),
        "verdicts": [each.verdict.title for each in verdicts.told],
    }
    return Section("headline", "In short", values)


def _state(facts: RunFacts) -> str:
    if facts.status == "finished":
        return ""
    error = facts.info.get("error")
    reason = f" ({error})" if isinstance(error, str) else ""
    epochs = count_of(len(facts.history), "epoch")
    return f"{_UNFINISHED[facts.status]}{reason} {epochs} finished."


def _verdict(facts: RunFacts, judged: Scores) -> str:
    metrics, number = judged.metrics, judged.metrics.get("num_images", 0)
    right = round(metrics["accuracy"] * number)
    ends = metrics.get("intervals", {}).get("accuracy")
    interval = f" (95% interval {interval_text('accuracy', ends)})" if ends else ""
    what = {"test": "test images, which it never saw in training"}.get(
        judged.name, f"{judged.name} images"
    )
    if facts.folds:
        what = "images, each answered by a model that never saw it in training"
    return (
        f"Of {number:,} {what}, it gets {right:,} right: {percent(metrics['accuracy'])}"
        f"{interval}.{_baseline(metrics)}"
    )


def _baseline(metrics: Mapping[str, Any]) -> str:
    supports = {name: values.get("support", 0) for name, values in metrics["per_class"].items()}
    total, commonest = sum(supports.values()), max(supports, key=lambda name: supports[name])
    if not total:
        return ""
    share = percent(supports[commonest] / total)
    return f" Always answering \u201c{commonest}\u201d would be right for {share}."


def _cards(judged: Scores) -> Iterator[dict[str, str]]:
    for name, title in _CARDS.items():
        if name in judged.metrics:
            ends = judged.metrics.get("intervals", {}).get(name)
            yield {
                "title": title,
                "value": metric_text(name, judged.metrics[name]),
                "interval": interval_text(name, ends),
            }


def _warnings(facts: RunFacts, judged: Scores | None) -> Iterator[str]:
    """Yield what makes the numbers less sure than they look."""
    if judged is None:
        yield "It was not evaluated on any images, so nothing is known of how good it is."
        return
    if judged.name == "validation":
        yield (
            "There are no test images. The best epoch was chosen by the validation images, so it "
            "will do a little worse on new images."
        )
    ends = judged.metrics.get("intervals", {}).get("accuracy")
    if ends and ends[1] - ends[0] > 0.1:
        yield (
            f"With {count_of(judged.metrics['num_images'], 'image')} the accuracy is known only "
            f"roughly: {interval_text('accuracy', ends)}."
        )
    if skipped := facts.data.get("skipped"):
        were = "was" if len(skipped) == 1 else "were"
        yield f"{count_of(len(skipped), 'image')} could not be read and {were} left out."
