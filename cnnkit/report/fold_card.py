"""What the model card of a cross-validation says in place of what that of a run says."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, stdev
from typing import Any

from cnnkit.report.number_text import metric_text
from cnnkit.report.run_facts import RunFacts
from cnnkit.text import duration_text


def what_it_is(facts: RunFacts) -> str:
    """Return the sentence that says that there are several models."""
    number = len(facts.folds)
    return (
        f"It is a cross-validation: {number} models of the same kind, each trained without another "
        f"{_part(number)} of the images. Every image is scored by the model that did not see it."
    )


def limits_of_folds() -> str:
    """Return the limit that every cross-validation has."""
    return (
        "The numbers are those of several models. They say what to expect of one that is trained "
        "in the same way, but no single one was scored on all images."
    )


def how_to_start(facts: RunFacts) -> Iterator[str]:
    """Yield how to use one of the models."""
    last = facts.folds[-1].name
    yield f"Each of the folders `fold1` to `{last}` has a model; they differ by chance. Use one:"
    yield from ("", "```", "pip install cnnkit")
    yield from ("cnnkit predict IMAGE --model fold1/model.tflite", "```", "")
    yield "Or train one model with more images: the same config, without `--folds`."


def spread_over_folds(facts: RunFacts) -> str:
    """Return the mean and the standard deviation of the accuracy over the folds."""
    scores = [run.info()["metrics"]["test"]["accuracy"] for run in facts.folds]
    return (
        f"The accuracy of a single fold is {metric_text('accuracy', fmean(scores))} on average, "
        f"with a standard deviation of {100 * stdev(scores):.1f} points over {len(scores)} folds."
    )


def kept_epochs(facts: RunFacts) -> str:
    """Return which epoch of each fold is kept."""
    best = [f"{run.info().get('best_epoch')} of {run.name}" for run in facts.folds]
    return f"those that are kept are {', '.join(best)}."


def training_time(facts: RunFacts) -> str | None:
    """Return how long all folds took; None if that is not known."""
    seconds: list[Any] = [run.info().get("seconds") for run in facts.folds]
    if not all(isinstance(each, int | float) for each in seconds):
        return None
    return f"{duration_text(sum(seconds))} for {len(seconds)} folds"


def _part(number: int) -> str:
    return {2: "half", 3: "third", 4: "quarter", 5: "fifth"}.get(number, f"1/{number}")
