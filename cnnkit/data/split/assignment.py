"""Decide which image is in train, validation or test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from cnnkit.config import SplitConfig
from cnnkit.data.records import SPLITS, ImageRecord, without_collection
from cnnkit.data.split.stratified import HELD_OUT, split_units
from cnnkit.data.split.units import Pool, Unit, class_size_text, class_sizes, groups_of
from cnnkit.errors import DataError
from cnnkit.text import count_of, first_few, shown

ALL_IN_TRAIN = "set data.allow_missing_classes: true to keep all of it in train"


@without_collection
def assign_splits(
    records: Sequence[ImageRecord],
    hashes: Sequence[str],
    split_config: SplitConfig,
    *,
    allow_missing_classes: bool = False,
    kept: Sequence[str | None] | None = None,
) -> tuple[list[str], list[str]]:
    """Give every image its split: the one that its source states, or one that is drawn here.

    Images are drawn by a hash of seed and content, class by class. Identical images get the same
    split, regardless of their names, order and number, and so do images of one group. A class gets
    max(1, round(fraction * its contents)) distinct contents in validation and in test; groups that
    do not fit exactly make it a little more or less.

    Args:
        records: the images; either all of them have a `split`, or none.
        hashes: sha256 of each image's content.
        split_config: `validation` and `test` (fractions of all images to draw; 0 draws none),
            `seed`, and `group` (a pattern on the path, see `groups_of`).
        allow_missing_classes: keep a class with too few images in train instead of raising.
        kept: the split that images have in an earlier manifest and keep, None for new images. What
            the source states has priority.

    Returns:
        The split of each record, and sentences for the user.

    Raises:
        DataError: classes have too few distinct images or groups (all of them at once), or images
            that were in different splits now belong together.
    """
    groups = groups_of(records, split_config.group)
    pool = Pool(records, hashes, groups)
    fractions = {
        split: getattr(split_config, split)
        for split in HELD_OUT
        if split not in pool.given_splits and getattr(split_config, split) > 0
    }
    unit_splits, too_few = split_units(
        pool.units,
        fractions,
        split_config.seed,
        pool.kept_splits(kept or [None] * len(records)),
        allow_missing_classes=allow_missing_classes,
    )
    if too_few and not allow_missing_classes:
        wanted = ", ".join(["train", *fractions])
        raise too_few_error(pool.units, too_few, wanted, ALL_IN_TRAIN)
    splits = pool.spread(unit_splits)
    notes = pool.notes() + _small_notes(pool.units, too_few)
    # A split that is drawn here has no leaks, because units are never divided.
    if pool.given_splits:
        notes += _leak_notes(records, hashes, splits) + _straddle_notes(groups, splits)
    return splits, notes


def too_few_error(
    units: Sequence[Unit], too_few: Iterable[str], wanted: str, advice: str
) -> DataError:
    """Return the error for classes that are too small.

    Args:
        units: what was to be split.
        too_few: the classes that cannot be in all of the wanted splits or folds.
        wanted: these splits or folds, as in `train, validation, test` or `5 folds`.
        advice: what the user can do, apart from adding images or removing the class.
    """
    names = sorted(too_few)
    contents, holders = class_sizes(units)
    # With fewer units than contents, it is groups that keep contents together.
    grouped = any(holders[name] < contents[name] for name in names)
    sizes = (f"{name} ({class_size_text(name, contents, holders)})" for name in names)
    rule = (
        "A group is never divided, and each split or fold needs at least one group of each class."
        if grouped
        else "Identical copies count once, and each split or fold needs at least one image."
    )
    return DataError(
        f"{count_of(len(names), 'class has', 'classes have')} too few "
        f"{'groups' if grouped else 'images'} to split into {wanted}: {first_few(sizes, 10)}. "
        f"{rule} Add images, remove the class, or {advice}."
    )


def _small_notes(units: Sequence[Unit], too_few: Collection[str]) -> list[str]:
    if not too_few:
        return []
    contents, holders = class_sizes(units)
    return [
        f"Class {shown(name)} has {class_size_text(name, contents, holders)}: all stay in train."
        for name in sorted(too_few)
    ]


def _leak_notes(
    records: Sequence[ImageRecord], hashes: Sequence[str], splits: Sequence[str]
) -> list[str]:
    """Return sentences on contents that are in train and also in validation or test."""
    in_train = {
        digest: record.path
        for record, digest, split in zip(records, hashes, splits, strict=True)
        if split == "train"
    }
    notes = []
    for split in ("validation", "test"):
        shared = [
            f"{record.path} = {in_train[digest]}"
            for record, digest, found in zip(records, hashes, splits, strict=True)
            if found == split and digest in in_train
        ]
        if shared:
            verb = "is" if len(shared) == 1 else "are"
            notes.append(
                f"{count_of(len(shared), 'image')} of the {split} split {verb} also in train "
                f"({first_few(shared)})."
            )
    return notes


def _straddle_notes(groups: Sequence[str | None], splits: Sequence[str]) -> list[str]:
    """Return a sentence on groups that the source puts into more than one split."""
    found: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        if group is not None:
            found.setdefault(group, set()).add(split)
    torn = [
        f"{group} in {' and '.join(name for name in SPLITS if name in of_group)}"
        for group, of_group in sorted(found.items())
        if len(of_group) > 1
    ]
    if not torn:
        return []
    noun = count_of(len(torn), "group is", "groups are")
    return [f"{noun} in more than one split of the source ({first_few(torn)})."]
