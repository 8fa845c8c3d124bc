"""Find what is wrong with the classes and splits: missing, too small, unbalanced, badly named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnnkit.config import DataConfig
from cnnkit.data.check.fault_kinds import Finding
from cnnkit.data.check.folder_faults import names_alike
from cnnkit.data.records import SPLITS, ImageRecord, Source
from cnnkit.data.sources.listing import classes_by_split
from cnnkit.data.split.stratified import split_units
from cnnkit.data.split.units import Pool, groups_of
from cnnkit.data.split_words import split_from_folder
from cnnkit.errors import DataError
from cnnkit.text import count_of

_LARGEST_RATIO = 10  # a model that never predicts the small class is right in 10 of 11 images
# What pandas and spreadsheets write for a cell without a value.
_MISSING = {"nan", "na", "n/a", "#n/a", "<na>", "null", "none", "-nan"}
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")
_HELD_OUT = ("validation", "test")


def class_findings(
    source: Source, contents: Sequence[str | None], data_config: DataConfig
) -> list[Finding]:
    """Return faults of the classes, their names, their sizes and their splits.

    Args:
        source: all images that are used.
        contents: sha256 of each image, None if it cannot be decoded.
        data_config: the `data` section; `split`, `classes` and `allow_missing_classes` are read.
    """
    labels = sorted({record.label for record in source.records})
    usable = replace(
        source,
        records=tuple(r for r, content in zip(source.records, contents, strict=True) if content),
    )
    return [
        *_names(labels, source),
        *_presence(source, usable, labels, data_config),
        *_sizes(source, contents, data_config),
        *_groups(source.records),
    ]


def _names(labels: Sequence[str], source: Source) -> list[Finding]:
    found = [
        Finding("unprintable_class_name", (name,)) for name in labels if not name.isprintable()
    ]
    found += [
        Finding("odd_class_name", (name,), f'"{name}"')
        for name in labels
        if name != name.strip() or name.endswith(".")
    ]
    found += [Finding("missing_value_name", (name,)) for name in labels if name.lower() in _MISSING]
    empty = {folder.rpartition("/")[2] for folder, _ in source.empty_classes}
    return found + names_alike(sorted({*labels, *empty})) + _same_numbers(labels)


def _same_numbers(labels: Sequence[str]) -> list[Finding]:
    """Return class names that programs which read them as numbers cannot tell apart."""
    by_number: dict[float, list[str]] = {}
    for name in filter(_NUMBER.fullmatch, labels):
        by_number.setdefault(float(name), []).append(name)
    return [
        Finding("names_same_number", tuple(names)) for names in by_number.values() if len(names) > 1
    ]


def _presence(
    source: Source, usable: Source, labels: Sequence[str], data_config: DataConfig
) -> list[Finding]:
    """Return the classes without an image that can be read, in the source or in one split."""
    by_split, readable = classes_by_split(source), classes_by_split(usable)
    found = [
        Finding("empty_class", (name,), "none of its images can be read")
        for name in sorted(set(labels).difference(*readable.values()))
    ]
    found += [
        Finding("empty_class", (folder,), content)
        for folder, content in source.empty_classes
        if not _counts_as_missing(folder, by_split)
    ]
    found += [
        Finding("empty_class", (name,), "data.classes lists it")
        for name in data_config.classes or ()
        if name not in labels
    ]
    if len(labels) < 2:
        number = count_of(len(labels), "class", "classes")
        found.append(Finding("single_class", tuple(labels), source.doubt or number))
    elif source.doubt:
        found.append(Finding("doubtful_classes", (), source.doubt))
    if None in by_split or not by_split:
        return found
    if "train" not in by_split:
        return [*found, Finding("no_train_split", tuple(sorted(filter(None, by_split))))]
    for split in _HELD_OUT:
        if split in by_split:
            there = readable.get(split, set()), readable.get("train", set())
            found += _difference(split, *there, data_config)
    return found


def _counts_as_missing(folder: str, by_split: Mapping[str | None, set[str]]) -> bool:
    """Tell whether an empty `test/cat` is reported as a class that the test split lacks."""
    split = split_from_folder(folder.partition("/")[0])
    return split in _HELD_OUT and split in by_split and "/" in folder


def _difference(
    split: str, classes: set[str], train: set[str], data_config: DataConfig
) -> list[Finding]:
    missing = [] if data_config.allow_missing_classes else sorted(train - classes)
    return [
        *(Finding("class_missing_from_split", (name,), f"not in {split}") for name in missing),
        *(
            Finding("class_missing_from_train", (name,), f"in {split} only")
            for name in sorted(classes - train)
        ),
    ]


def _sizes(
    source: Source, contents: Sequence[str | None], data_config: DataConfig
) -> list[Finding]:
    """Return classes that are too small for the split of a training, and a large imbalance."""
    usable = [
        (record, content)
        for record, content in zip(source.records, contents, strict=True)
        if content is not None
    ]
    if not usable:
        return []
    return [
        *_too_small([record for record, _ in usable], [each for _, each in usable], data_config),
        *_imbalance([record for record, _ in usable]),
    ]


def _too_small(
    records: Sequence[ImageRecord], contents: Sequence[str], data_config: DataConfig
) -> list[Finding]:
    if data_config.allow_missing_classes:
        return []
    try:
        pool = Pool(records, contents, groups_of(records, data_config.split.group))
    except DataError as error:
        return [Finding("unusable_source", (), str(error))]
    fractions = {
        split: getattr(data_config.split, split)
        for split in _HELD_OUT
        if split not in pool.given_splits and getattr(data_config.split, split) > 0
    }
    _, too_few = split_units(pool.units, fractions, data_config.split.seed)
    return [
        Finding("class_too_small", (name,), pool.size_of(name) + " that can be read")
        for name in sorted(too_few)
    ]


def _imbalance(records: Sequence[ImageRecord]) -> list[Finding]:
    # Only what is learned from: in the other splits no proportion does harm.
    sizes = Counter(record.label for record in records if record.split in (None, "train"))
    if not sizes or max(sizes.values()) <= _LARGEST_RATIO * min(sizes.values()):
        return []
    # Sorted, so that of several classes of one size the same one is always named.
    largest = max(sorted(sizes), key=sizes.__getitem__)
    smallest = min(sorted(sizes), key=sizes.__getitem__)
    counts = f"{sizes[largest]:,} and {sizes[smallest]:,} images"
    return [Finding("imbalance", (largest, smallest), counts)]


def _groups(records: Sequence[ImageRecord]) -> list[Finding]:
    """Return the groups that the source itself divides among several splits."""
    members: dict[str, list[ImageRecord]] = {}
    for record in records:
        if record.group is not None and record.split is not None:
            members.setdefault(record.group, []).append(record)
    return [
        Finding("group_across_splits", tuple(record.path for record in images), f"group {group}")
        for group, images in sorted(members.items())
        if len({record.split for record in images} & set(SPLITS)) > 1
    ]
