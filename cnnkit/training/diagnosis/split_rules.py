"""Verdicts on the images: rare classes, copies, and splits that differ or are too small."""

from __future__ import annotations

import math

from cnnkit.config.own_calls import MIXING
from cnnkit.evaluation.intervals import wilson_interval
from cnnkit.text import count_of, first_few, shown
from cnnkit.training.diagnosis.changes import (
    less_dropout,
    no_augmentation,
    other_light,
    random_layers,
)
from cnnkit.training.diagnosis.evidence import Evidence
from cnnkit.training.diagnosis.phase_curves import PhaseCurves
from cnnkit.training.diagnosis.verdict import Change, Verdict

_SURE = 3  # standard errors
_WIDE = 0.2  # of the 95% interval of the validation accuracy
_ENOUGH_IMAGES = 150  # of validation: at an accuracy of 0.9, the interval is 0.1 wide
_MOST_VALIDATION = 0.3  # the largest fraction that is suggested
_COPIES = 0.01  # of a split
_UNEVEN = 3  # times as many images in the largest class as in the smallest
_HIDDEN = 0.1  # accuracy minus balanced accuracy
_WORSE = 0.05  # of accuracy, from validation to test
_BETTER, _MUCH_BETTER = 0.03, 0.15  # of accuracy, from training to validation
_GOOD = 0.9  # training accuracy that is high enough in spite of what makes training harder
_STRONG_DROPOUT = 0.5


def copies_between_splits(evidence: Evidence) -> Verdict | None:
    """Return a verdict if held-out images are copies of training images."""
    found = {
        split: number
        for split, number in evidence.copies.items()
        if number > _COPIES * evidence.size(split)
    }
    if not found:
        return None
    parts = " and ".join(
        f"{number} of the {count_of(evidence.size(split), f'{split} image')}"
        for split, number in found.items()
    )
    return Verdict(
        "copies_in_validation",
        f"Copies of training images are in {' and '.join(found)}",
        f"{parts} have exactly the content of a training image.",
        "The accuracy looks better than it is on new images, and overfitting does not show.",
        advice=f"List them with cnnkit data check {evidence.source} and remove them, or let cnnkit "
        "split the images: it never divides copies.",
    )


def rare_classes_missed(evidence: Evidence) -> Verdict | None:
    """Return a verdict if a good accuracy hides that rare classes are not recognised."""
    counts, scores = evidence.counts["train"], evidence.metrics.get("validation", {})
    accuracy, balanced = scores.get("accuracy"), scores.get("balanced_accuracy")
    smallest = min((count for count in counts.values() if count), default=0)
    if accuracy is None or balanced is None or max(counts.values()) < _UNEVEN * smallest:
        return None
    if accuracy - balanced < _HIDDEN:
        return None
    missed = sorted(
        (name for name, recall in evidence.recalls.items() if recall < balanced),
        key=lambda name: evidence.recalls[name],
    )
    named = f" Worst: {first_few(f'{n} ({evidence.recalls[n]:.0%})' for n in missed)}."
    largest = max(counts, key=lambda name: counts[name])
    return Verdict(
        "rare_classes_missed",
        "The accuracy hides that rare classes are missed",
        f"The validation accuracy is {accuracy:.1%}, but its mean over the classes (balanced "
        f"accuracy) is only {balanced:.1%}. Answering {shown(largest)!r} for every image would "
        f"give {evidence.largest_share('validation'):.1%}.{named if missed else ''}",
        f"The training images are uneven, from {smallest:,} to {max(counts.values()):,} per class, "
        "and a rare class hardly counts in the loss.",
        tuple(_for_rare_classes(evidence)),
        advice="More images of the rare classes help most.",
    )


def _for_rare_classes(evidence: Evidence) -> list[Change]:
    if evidence.is_balanced_by_training:
        return []
    return [
        Change("training.class_weights", "auto", "none"),
        Change("training.balanced_sampling", "true", "false"),
    ]


def worse_on_test(evidence: Evidence) -> Verdict | None:
    """Return a verdict if test images are classified much worse than validation images."""
    splits = ("validation", "test")
    accuracies = [evidence.metrics.get(split, {}).get("accuracy") for split in splits]
    sizes = [evidence.size(split) for split in splits]
    if None in accuracies or not all(sizes):
        return None
    validation, test = accuracies
    pooled = (validation * sizes[0] + test * sizes[1]) / sum(sizes)
    error = math.sqrt(pooled * (1 - pooled) * sum(1 / size for size in sizes))
    if validation - test < max(_WORSE, _SURE * error):
        return None
    return Verdict(
        "test_worse",
        "Test images are classified much worse than validation images",
        f"The accuracy is {validation:.1%} on {sizes[0]:,} validation images and {test:.1%} on "
        f"{sizes[1]:,} test images; chance explains a difference of about {2 * error:.1%}.",
        "Either the test images differ from the others (another camera, place or time), or "
        "validation images resemble training images too much.",
        (other_light(evidence.config),),
        advice=f"See what the errors have in common (cnnkit evaluate {evidence.run}), and add "
        "training images like those of the test. Keep images that belong together in one split: "
        "data.split.group.",
    )


def validation_better(evidence: Evidence) -> Verdict | None:
    """Return a verdict if validation images are classified better than training images."""
    curves = evidence.main
    if curves is None or not curves.has_validation or len(curves.rows) < 4:
        return None
    # The training accuracy is a mean over the epoch: compared with validation before the epoch,
    # its network has already learned more.
    before, during = curves.val_accuracy[-4:-1].mean(), curves.at_end("train_accuracy")
    lead = float(before - during)
    size = evidence.size("validation")
    if lead < max(_BETTER, _SURE * math.sqrt(during * (1 - during) / size)):
        return None
    causes = _causes(evidence)
    if causes and (lead < _MUCH_BETTER or during > _GOOD or _mixes_labels(evidence)):
        return None  # that is what they are for
    return _unexplained(evidence, curves, lead) if not causes else _explained(evidence, causes)


def _mixes_labels(evidence: Evidence) -> bool:
    """Tell whether training images have the labels of two images: none is classified as both."""
    return any(call.name in MIXING for call in evidence.config.augmentation)


def _causes(evidence: Evidence) -> list[str]:
    """Return what makes training images harder, in words."""
    config, found = evidence.config, random_layers(evidence.config)
    if config.augmentation:
        found.append(f"augmentation ({', '.join(call.name for call in config.augmentation)})")
    if config.model.backbone is not None and evidence.main.phase.backbone_learns:
        found.append("the dropout that the backbone may have")
    return found


def _lead_text(evidence: Evidence) -> str:
    curves = evidence.main
    return (
        f"In the last three epochs {curves.at_end('val_accuracy'):.1%} of the validation images "
        f"are classified correctly, and {curves.at_end('train_accuracy'):.1%} of the training "
        "images."
    )


def _explained(evidence: Evidence, causes: list[str]) -> Verdict:
    config = evidence.config
    strong = tuple(less_dropout(config, above=_STRONG_DROPOUT))
    changes = strong or (*no_augmentation(config), *less_dropout(config))
    return Verdict(
        "validation_better",
        "Training is made much harder than validation",
        f"{_lead_text(evidence)} Only training images go through {' and '.join(causes)}.",
        "Some of that is intended, but so much of it keeps the network from learning.",
        changes,
    )


def _unexplained(evidence: Evidence, curves: PhaseCurves, lead: float) -> Verdict:
    return Verdict(
        "validation_better",
        "Validation is better than training, and nothing in the config explains it",
        f"{_lead_text(evidence)} There is no dropout and no augmentation.",
        "The validation images may be easier than the training images, or similar to some of them, "
        "and then the validation accuracy says little about new images.",
        advice=f"Look for similar images in both splits (cnnkit data check {evidence.source}), and "
        "at how the images were divided.",
        epoch=curves.last_epoch,
    )


def validation_too_small(evidence: Evidence) -> Verdict | None:
    """Return a verdict if the interval of the validation accuracy is very wide."""
    size, accuracy = evidence.size("validation"), _validation_accuracy(evidence)
    if accuracy is None or not size:
        return None
    low, high = (float(end) for end in wilson_interval(accuracy, size))
    if high - low < _WIDE:
        return None
    within = _epochs_within(evidence, low)
    return Verdict(
        "validation_too_small",
        f"{count_of(size, 'validation image')} are too few to tell models or epochs apart",
        f"An accuracy of {accuracy:.1%} on {count_of(size, 'image')} means anything from {low:.1%} "
        f"to {high:.1%} (95% interval).{within}",
        "Which epoch is the best, and whether a change of the config helps, is left to chance.",
        _larger_validation(evidence),
        advice=_more_validation(evidence),
    )


def _validation_accuracy(evidence: Evidence) -> float | None:
    accuracy = evidence.metrics.get("validation", {}).get("accuracy")
    if accuracy is None and evidence.main is not None and evidence.main.has_validation:
        return float(evidence.main.val_accuracy[evidence.main.best])
    return accuracy


def _epochs_within(evidence: Evidence, low: float) -> str:
    curves = evidence.main
    if curves is None:
        return ""
    within = int((curves.val_accuracy >= low).sum())
    return f" {within} of {count_of(len(curves.rows), 'epoch')} are inside it."


def _more_validation(evidence: Evidence) -> str:
    if not _is_drawn(evidence):
        return f"Move more images into the validation split of {evidence.source}."
    command = f"cnnkit train {evidence.config_file} --folds 5"
    return f"With few images, cross-validation uses all of them: {command}"


def _larger_validation(evidence: Evidence) -> tuple[Change, ...]:
    """Return the larger fraction, or nothing if the source has its own validation split."""
    now, total = evidence.config.data.split.validation, sum(map(evidence.size, evidence.counts))
    wanted = min(_MOST_VALIDATION, math.ceil(20 * _ENOUGH_IMAGES / total) / 20)
    if wanted <= now or not _is_drawn(evidence):
        return ()
    return (Change("data.split.validation", f"{wanted:g}", f"{now:g}"),)


def _is_drawn(evidence: Evidence) -> bool:
    """Tell whether cnnkit took the validation images, by how many of each class there are."""
    now, classes = evidence.config.data.split.validation, evidence.counts["train"]
    of_classes = [sum(split.get(name, 0) for split in evidence.counts.values()) for name in classes]
    expected = sum(max(1, round(now * number)) for number in of_classes)
    return now > 0 and 0.5 < evidence.size("validation") / expected < 2
