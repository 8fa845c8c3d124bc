"""Refuse classes that a training could not use: listed ones without images, or fewer than two."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cnnkit.errors import DataError, did_you_mean
from cnnkit.text import count_of, first_few


def check_listed(source_name: str, in_train: Collection[str], classes: Sequence[str]) -> None:
    """Refuse a class of data.classes that has no image to train on."""
    missing = [name for name in classes if name not in in_train]
    if missing:
        near = did_you_mean(missing[0], in_train)
        raise DataError(
            f"data.classes lists {count_of(len(missing), 'class', 'classes')} without an image to "
            f"train on in {source_name}: {first_few(missing, 10)}.{near} Classes there: "
            f"{first_few(sorted(in_train), 20)}."
        )


def check_two(source_name: str, classes: Collection[str], doubt: str = "") -> None:
    """Refuse a source with a single class; a doubt about its folders is told instead of advice."""
    if len(classes) < 2:
        advice = "A classifier needs at least two: add a folder, or rows with another label."
        raise DataError(
            f"{source_name} has only one class ({first_few(sorted(classes))}). {doubt or advice}"
        )
