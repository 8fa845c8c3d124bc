"""Compare the images of a resumed training with those that it was started with."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import DataError
from cnnkit.runs import Run
from cnnkit.text import first_few
from cnnkit.training.resumed_changes import (
    IMAGES,
    WEIGHTS,
    ChangedSetting,
    allowing,
    is_allowed,
)
from cnnkit.training.sample_weights import weights_fingerprint

if TYPE_CHECKING:  # they import TensorFlow, and what cannot be resumed should show at once
    from cnnkit.training.checkpoint import Backup
    from cnnkit.training.plan import Plan


def changed_images(
    run: Run, plan: Plan, backup: Backup, allowed: Collection[str]
) -> list[ChangedSetting]:
    """Return whether the images have changed since a training was started.

    Raises:
        DataError: they or their weights have, which is not allowed; or there are other classes.
    """
    if plan.dataset.class_names != run.class_names():
        raise DataError(
            f"The images have other classes than those that the training was started with "
            f"({run.classes}). Start a new training."
        )
    changes = _changed_contents(run, plan, backup, allowed)
    return changes or _changed_weights(plan, backup, allowed)


def _changed_weights(plan: Plan, backup: Backup, allowed: Collection[str]) -> list[ChangedSetting]:
    before, now = backup.facts.get("weights"), weights_fingerprint(plan.dataset)
    if before == now:
        return []
    if not is_allowed(WEIGHTS, allowed):
        raise DataError(
            f"The weights of images ({plan.config.data.weight_column}) have changed since the "
            "training was started. Restore them, start a new training, or go on in spite of it: "
            f"{allowing([WEIGHTS])}"
        )
    return [ChangedSetting(WEIGHTS, before, now)]


def _changed_contents(
    run: Run, plan: Plan, backup: Backup, allowed: Collection[str]
) -> list[ChangedSetting]:
    before = backup.facts["data"]
    now = [planned.images.dataset.fingerprint for planned in plan.phases]
    if before != now and is_allowed(IMAGES, allowed):
        return [ChangedSetting(IMAGES, before, now)]
    _check_images(run, plan.dataset)
    for number, (seen, found) in enumerate(zip(before, now, strict=True), 1):
        if seen != found:
            raise DataError(
                f"The images of phase {number} have changed since the training was started. "
                "Restore them, start a new training, or go on in spite of it: "
                f"{allowing([IMAGES])}"
            )
    return []


def _check_images(run: Run, dataset: ImageDataset) -> None:
    before = {row["path"]: row for row in run.read_split()}
    now = {row["path"]: row for row in split_rows(dataset)}
    parts = {
        "gone": sorted(before.keys() - now.keys()),
        "new": sorted(now.keys() - before.keys()),
        "with other content or in another split": sorted(
            path for path in before.keys() & now.keys() if before[path] != now[path]
        ),
    }
    found = [f"{len(paths)} {word} ({first_few(paths)})" for word, paths in parts.items() if paths]
    if found:
        raise DataError(
            f"The images are not those that the training was started with ({run.split}): "
            f"{', '.join(found)}. Restore them, start a new training, or go on in spite of it: "
            f"{allowing([IMAGES])}"
        )


def split_rows(dataset: ImageDataset) -> list[dict[str, str]]:
    """Return the rows of split.csv."""
    return [
        {
            "path": sample.path,
            "label": dataset.class_names[sample.label],
            "split": sample.split,
            "sha256": sample.sha256,
        }
        for sample in dataset.samples
    ]
