"""What a model should not be trusted with, in sentences: what its evaluation shows, and lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnnkit.errors import DataError
from cnnkit.evaluation.slices import find_slices
from cnnkit.metrics import most_confused
from cnnkit.report.card_text import code
from cnnkit.report.kind_of_images import KindOfImages, kind_of_images
from cnnkit.report.number_text import interval_text, percent
from cnnkit.report.run_facts import RunFacts, Scores, read_json
from cnnkit.text import count_of, shown

_FEW_IMAGES = 50  # training images of a class
_MOST = 10  # classes, slices or pairs in a sentence
_JUDGED = ("test", "validation")  # the images that measure a calibration, the better ones first
_WIDE = 0.1  # the width of the interval of the accuracy


def limits_of(facts: RunFacts) -> Iterator[str]:
    """Yield one sentence or two per limit.

    Args:
        facts: of the run.
    """
    yield from _few_training_images(facts)
    if (scores := facts.judged) is None:
        yield "The model was not evaluated on images that it had not seen."
        return
    yield from _small_test(scores)
    yield from _weak_classes(scores)
    yield from _confusions(scores)
    yield from _slices(scores, kind_of_images(facts))
    yield from _calibration(facts, scores)


def _few_training_images(facts: RunFacts) -> Iterator[str]:
    counts = facts.counts().get("train", {})
    few = {name: number for name, number in counts.items() if number < _FEW_IMAGES}
    if few:
        names = _listed(sorted(few, key=few.__getitem__), few, "image")
        yield f"Classes with fewer than {_FEW_IMAGES} training images: {names}."


def _small_test(scores: Scores) -> Iterator[str]:
    low, high = scores.metrics.get("intervals", {}).get("accuracy", (0.0, 0.0))
    if high - low > _WIDE:
        yield (
            f"The evaluation has only {count_of(scores.metrics['num_images'], 'image')}, so the "
            f"accuracy is known only roughly: {percent(low)} to {percent(high)} (95% interval)."
        )


def _weak_classes(scores: Scores) -> Iterator[str]:
    """Yield the classes whose recall is lower than the accuracy by more than chance explains."""
    weak = {
        name: values
        for name, values in scores.metrics["per_class"].items()
        if "recall" in values.get("intervals", {})
        and values["intervals"]["recall"][1] < scores.metrics["accuracy"]
        and round((1 - values["recall"]) * values["support"]) > 1  # one image says nothing
    }
    names = sorted(weak, key=lambda name: weak[name]["recall"])
    sentences = [
        f"{code(name)} is recognised in {percent(weak[name]['recall'])} of its images "
        f"({interval_text('recall', weak[name]['intervals']['recall'])})"
        for name in names[:_MOST]
    ]
    if sentences:
        more = f" and {len(names) - _MOST:,} more classes" if len(names) > _MOST else ""
        yield f"Classes that are missed more often than others: {'; '.join(sentences)}{more}."


def _confusions(scores: Scores) -> Iterator[str]:
    matrix = scores.metrics.get("confusion_matrix")
    if matrix is None:
        return
    import numpy as np

    names, counts = list(scores.metrics["per_class"]), np.array(matrix)
    pairs = [
        f"{code(names[true])} is taken for {code(names[answer])} "
        f"({counts[true, answer]:,} of {counts[true].sum():,})"
        for true, answer in most_confused(counts, 5)
        if counts[true, answer] > 1  # a single error says nothing
    ]
    if pairs:
        yield f"The commonest confusions: {', '.join(pairs)}."


def _slices(scores: Scores, kind: KindOfImages) -> Iterator[str]:
    predictions = scores.predictions
    if predictions is None or not predictions.columns:
        yield (
            f"Whether it is worse on some kinds of {kind.noun}s ({kind.slices}) was not measured."
        )
        return
    slices = find_slices(predictions)
    worse = [each for each in slices if each.is_worse and each.by != "class"]
    if not worse:
        yield (
            f"Of {count_of(len(slices), 'kind')} of images that were compared with the others (by "
            "size, brightness and the like), none is significantly worse."
        )
        return
    named = [
        f"{code(each.name)} ({percent(each.accuracy)} of {count_of(each.images, 'image')} right, "
        f"of the others {percent(each.rest_accuracy)})"
        for each in worse[:_MOST]
    ]
    yield f"It is worse on some kinds of images: {', '.join(named)}."


def _calibration(facts: RunFacts, scores: Scores) -> Iterator[str]:
    if facts.is_calibrated:
        yield from _as_calibrated(facts)
        return
    error = scores.metrics["ece"]
    ends = scores.metrics.get("intervals", {}).get("ece")
    between = f" (95% interval {ends[0]:.3f} to {ends[1]:.3f})" if ends else ""
    yield (
        f"Its probabilities differ from the share of right answers by {error:.3f} on average"
        f"{between}, the expected calibration error."
    )
    kind = kind_of_images(facts)
    yield (
        f"It cannot tell whether {kind.one} is of another kind than the training {kind.noun}s, and "
        "answers all of them."
    )


def _as_calibrated(facts: RunFacts) -> Iterator[str]:
    """Yield what calibration.json says, which may be newer than the evaluation."""
    kind = kind_of_images(facts)
    try:
        measured = read_json(facts.run.calibration)["measured"]
        split, found = next((each, measured[each]) for each in _JUDGED if each in measured)
        yield (
            f"Its probabilities are calibrated: on the {split} images they differ from the share "
            f"of right answers by {found['ece']:.3f} on average, before by "
            f"{found['ece_before']:.3f} (expected calibration error)."
        )
        precision = found["precision"]
        right = (
            "" if precision is None else f", and {percent(precision)} of these answers are right"
        )
        yield (
            f"cnnkit answers `unknown` if the model is not sure enough, or if {kind.one} is too "
            f"far from the training {kind.noun}s. Of the {split} {kind.noun}s it answers "
            f"{percent(found['coverage'])}{right}."
        )
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise DataError(
            f"{shown(str(facts.run.calibration))} is damaged: {error!r}. Write it again: "
            f"cnnkit calibrate {facts.argument}"
        ) from error


def _listed(names: list[str], numbers: Mapping[str, Any], noun: str) -> str:
    few = ", ".join(f"{code(name)} ({count_of(numbers[name], noun)})" for name in names[:_MOST])
    return f"{few} and {len(names) - _MOST:,} more" if len(names) > _MOST else few
