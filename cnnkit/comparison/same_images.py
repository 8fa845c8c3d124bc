"""Bring the answers of two runs together, image by image; refuse if the images are not the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.errors import UsageError
from cnnkit.text import count_of, first_few, shown

_ADVICE = (
    "Score both on the same images, for example: cnnkit evaluate RUN --data DATA --name same, and "
    "then cnnkit compare RUN RUN --evaluation same"
)
_ADVICE_ON_FILES = (
    "Write the answers to the same images, with the same paths, into both files. Each of them can "
    "be scored alone: cnnkit evaluate --from-predictions FILE"
)


def positions_in(second: ComparedRun, first: ComparedRun) -> NDArray:
    """Return for each image of the first run its position among the images of the second.

    Images are the same if their contents are; if these are not known, if their paths are.

    Raises:
        UsageError: the images, their classes or the class names differ; the text says which.
    """
    check_classes(
        first.name, first.predictions.class_names, second.name, second.predictions.class_names
    )
    ours, theirs = _keys(first, second)
    if ours != theirs:
        # Images with the same content are interchangeable: their answers are the same.
        order_of_ours, order_of_theirs = _order(ours), _order(theirs)
        if [ours[index] for index in order_of_ours] != [theirs[index] for index in order_of_theirs]:
            raise UsageError(_difference(first, second, ours, theirs))
        positions = np.empty(len(ours), np.intp)
        positions[order_of_ours] = order_of_theirs
    else:
        positions = np.arange(len(ours))
    _check_labels(first, second, positions)
    return positions


def check_classes(
    first: str, first_names: Sequence[str], second: str, second_names: Sequence[str]
) -> None:
    """Raise UsageError if two runs have different classes.

    Args:
        first: the name of a run.
        first_names: of its classes, in any order.
        second: the name of the other run.
        second_names: of its classes.
    """
    names, others = set(first_names), set(second_names)
    if names != others:
        only = [
            f"only {run} has {first_few(sorted(own))}"
            for run, own in ((first, names - others), (second, others - names))
            if own
        ]
        raise UsageError(
            f"{first} and {second} have different classes: {', '.join(only)}. Only runs "
            "with the same classes can be compared."
        )


def _keys(first: ComparedRun, second: ComparedRun) -> tuple[Sequence[str], Sequence[str]]:
    if first.contents is not None and second.contents is not None:
        return first.contents, second.contents
    return list(first.predictions.paths), list(second.predictions.paths)


def _order(keys: Sequence[str]) -> list[int]:
    return sorted(range(len(keys)), key=keys.__getitem__)


def _check_labels(first: ComparedRun, second: ComparedRun, positions: NDArray) -> None:
    names, others = first.predictions.class_names, second.predictions.class_names
    labels, other_labels = first.predictions.labels, second.predictions.labels[positions]
    if names == others:
        differing = np.flatnonzero(labels != other_labels)
    else:
        differing = np.flatnonzero(np.array(names)[labels] != np.array(others)[other_labels])
    if len(differing):
        examples = [
            f"{first.predictions.paths[index]} is {names[labels[index]]} in {first.name} and "
            f"{others[other_labels[index]]} in {second.name}"
            for index in differing[:3]
        ]
        noun = count_of(len(differing), "image has", "images have")
        raise UsageError(
            f"{first.name} and {second.name} were scored on the same images, but {noun} another "
            f"class ({first_few(examples)}). {_advice(first, second)}"
        )


def _difference(
    first: ComparedRun, second: ComparedRun, ours: Sequence[str], theirs: Sequence[str]
) -> str:
    parts = []
    of_first = _paths_of(Counter(ours) - Counter(theirs), ours, first)
    of_second = _paths_of(Counter(theirs) - Counter(ours), theirs, second)
    changed = sorted(set(of_first) & set(of_second))
    if changed:
        noun = count_of(len(changed), "image has", "images have")
        parts.append(f"{noun} another content ({first_few(changed)})")
    for run, paths in ((first, of_first), (second, of_second)):
        if only := [path for path in paths if path not in set(changed)]:
            parts.append(
                f"{count_of(len(only), 'image')} only in {shown(run.name)} ({first_few(only)})"
            )
    both = len(ours) - len(of_first)
    return (
        f"{first.name} ({count_of(len(ours), 'image')}) and {second.name} "
        f"({count_of(len(theirs), 'image')}) were not scored on the same images: "
        f"{both:,} in both, {', '.join(parts)}. {_advice(first, second)}"
    )


def _advice(first: ComparedRun, second: ComparedRun) -> str:
    are_files = all(run.path.suffix.lower() == ".csv" for run in (first, second))
    return _ADVICE_ON_FILES if are_files else _ADVICE


def _paths_of(only: Counter[str], keys: Sequence[str], run: ComparedRun) -> list[str]:
    """Return the paths of images of a run that the other one lacks."""
    left, paths = only.copy(), []
    # From the end: of several copies of an image, the first ones are those that both have.
    for key, path in zip(reversed(keys), reversed(run.predictions.paths), strict=True):
        if left[key] > 0:
            left[key] -= 1
            paths.append(path)
    return paths[::-1]
