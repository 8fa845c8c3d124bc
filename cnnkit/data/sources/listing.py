"""A config's data section enters; the checked list of its images leaves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnkit.data.records import SPLITS, Source, split_from_folder, without_collection
from cnnkit.data.sources.builtin import BUILTIN_SOURCES, write_builtin
from cnnkit.data.sources.csv_file import read_table
from cnnkit.data.sources.folders import read_folder
from cnnkit.data.sources.json_lines import read_json_lines
from cnnkit.data.sources.known_sets import known_class_names
from cnnkit.data.sources.tfrecord import is_tfrecord_name
from cnnkit.data.sources.tfrecord_source import holds_tfrecords, read_tfrecords
from cnnkit.errors import DataError, did_you_mean
from cnnkit.files import why_unreadable
from cnnkit.text import count_of, first_few


@without_collection
def find_images(data_config: Any) -> Source:
    """List the images to train on, and check that their classes fit together.

    Args:
        data_config: the `data` section: `source`, `shapes`, `classes` and `allow_missing_classes`
            are read.

    Raises:
        DataError: the source is missing, cannot be read, or its classes or splits do not fit.
    """
    found = read_source(data_config.source, data_config.shapes)
    source = only_classes(found, data_config.classes) if data_config.classes else found
    _check_empty_classes(source)
    _check_listed(found, data_config.classes or ())
    _check_splits(source, {record.split for record in found.records})
    _check_classes(source, data_config.allow_missing_classes)
    return source


def read_source(source: str | Path, shapes: Any) -> Source:
    """List the images of a folder, a file or a built-in, without any check of the classes.

    Args:
        source: path, or the name of a built-in.
        shapes: the config of the built-in `shapes`; not read for other sources.
    """
    if str(source) in BUILTIN_SOURCES:
        return read_folder(write_builtin(str(source), shapes))
    path = Path(source)
    if path.is_dir():
        return read_tfrecords(path) if holds_tfrecords(path) else read_folder(path)
    if path.is_file():
        return _read_file(path)
    raise _missing(path)


def _read_file(path: Path) -> Source:
    ending = path.suffix.lower()
    if ending == ".csv":
        return read_table(path)
    if ending in (".jsonl", ".ndjson"):
        return read_json_lines(path)
    if is_tfrecord_name(path.name):
        return read_tfrecords(path)
    raise DataError(
        f"{path} is a file, but not a CSV, JSONL or TFRecord file by its name. Give a folder of "
        "class folders, a .csv file with the columns path,label, a .jsonl file with the same keys, "
        "or a .tfrecord file."
    )


def _missing(path: Path) -> DataError:
    parent = path.parent
    if os.path.lexists(path):
        _, reason = why_unreadable(path) or ("", "it is a file")
        return DataError(f"{path} cannot be read: {reason}.{_allowed()}")
    if not parent.is_dir():
        return DataError(f"{path} does not exist; {parent} does not exist either.{_allowed()}")
    names = sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith("."))
    hint = did_you_mean(path.name, [*names, *BUILTIN_SOURCES])
    there = f"{parent} holds {first_few(names, 8)}." if names else f"{parent} is empty."
    return DataError(f"{path} does not exist.{hint} {there}{_allowed()}")


def _allowed() -> str:
    return (
        " data.source is a folder of class folders, a CSV, JSONL or TFRecord file, or one of "
        f"{', '.join(BUILTIN_SOURCES)}."
    )


def _check_empty_classes(source: Source) -> None:
    """Refuse class folders without images; in validation or test they are missing classes."""
    in_train = [
        (folder, content)
        for folder, content in source.empty_classes
        if _held_out_split(folder) is None
    ]
    if in_train:
        lines = [f"{folder} has no image: {content}." for folder, content in in_train]
        names = "folder" if len(in_train) == 1 else "folders"
        raise DataError(
            f"{source.name} has {count_of(len(in_train), 'class folder')} without an image:\n  "
            + "\n  ".join(lines)
            + f"\nPut images into the {names}, or remove the {names}."
        )


def _held_out_split(folder: str) -> str | None:
    """Return the split of `validation/cat`; None for `train/cat` and for `cat`."""
    top, _, inner = folder.partition("/")
    split = split_from_folder(top) if inner else None
    return None if split == "train" else split


def _check_splits(source: Source, before: set[str | None]) -> None:
    """Refuse a split without images, also one that had some before data.classes chose."""
    present = {record.split for record in source.records}
    for split in sorted(name for name in before - present if name):
        raise DataError(
            f"{source.name}: the {split} split has no image of the classes that data.classes lists."
        )
    empty = {_held_out_split(folder) for folder, _ in source.empty_classes} - present - {None}
    for split in sorted(name for name in empty if name):
        raise DataError(
            f"{source.name} has a folder for the {split} split, but no image in it. Put images in, "
            "or remove the folder so that the split is cut from train."
        )
    if present != {None} and source.records and "train" not in present:
        found = " and a ".join(split for split in SPLITS if split in present)
        raise DataError(
            f"{source.name} has a {found} split but no train split, so there is nothing to learn "
            "from. Add a train folder, or train rows in the CSV."
        )


def _check_listed(source: Source, classes: Sequence[str]) -> None:
    """Refuse a class of data.classes that has no image to learn from."""
    in_train = {record.label for record in source.records if record.split in (None, "train")}
    missing = [name for name in classes if name not in in_train]
    if missing:
        near = did_you_mean(missing[0], in_train)
        raise DataError(
            f"data.classes lists {count_of(len(missing), 'class', 'classes')} without an image to "
            f"train on in {source.name}: {first_few(missing, 10)}.{near} Classes there: "
            f"{first_few(sorted(in_train), 20)}."
        )


def _check_classes(source: Source, allow_missing: bool) -> None:
    by_split = classes_by_split(source)
    train = by_split.get("train", by_split.get(None, set()))
    for split in ("validation", "test"):
        if split in by_split:
            _check_split_classes(source.name, split, by_split[split], train, allow_missing)
    broken = sorted(name for name in train if not name.isprintable())
    if broken:
        raise DataError(
            f"{source.name} has a class name with a line break or another unprintable character: "
            f"{broken[0]!r}. Rename the class."
        )
    if len(train) < 2:
        raise DataError(
            f"{source.name} has one class only ({first_few(sorted(train))}). A classifier needs at "
            "least two: add a folder, or rows with another label."
        )


def classes_by_split(source: Source) -> dict[str | None, set[str]]:
    """Return the classes that each split holds; the key None stands for images without a split."""
    by_split: dict[str | None, set[str]] = {}
    for record in source.records:
        by_split.setdefault(record.split, set()).add(record.label)
    return by_split


def _check_split_classes(
    name: str, split: str, classes: Iterable[str], train: set[str], allow_missing: bool
) -> None:
    extra = sorted(set(classes) - train)
    if extra:
        near = did_you_mean(extra[0], train)
        raise DataError(
            f"{name}: the {split} split has {count_of(len(extra), 'class', 'classes')} that train "
            f"lacks: {first_few(extra, 10)}.{near} A model cannot know a class it never saw: "
            "rename or remove it, or add it to train."
        )
    missing = sorted(train - set(classes))
    if missing and not allow_missing:
        raise DataError(
            f"{name}: the {split} split lacks {count_of(len(missing), 'class', 'classes')} that "
            f"train has: {first_few(missing, 10)}. Add images of it, or set "
            "data.allow_missing_classes: true to score without it."
        )


def only_classes(source: Source, classes: Sequence[str]) -> Source:
    """Return the source with the images of these classes alone; a note counts the others."""
    listed = set(classes)
    kept = tuple(record for record in source.records if record.label in listed)
    empty = tuple(row for row in source.empty_classes if row[0].rpartition("/")[2] in listed)
    others = sorted({record.label for record in source.records} - listed)
    notes = source.notes
    if others:
        left = count_of(len(source.records) - len(kept), "image")
        names = f"{count_of(len(others), 'class', 'classes')} ({first_few(others)})"
        notes += (f"Left aside: {left} of {names} that data.classes does not list.",)
    return replace(source, records=kept, notes=notes, empty_classes=empty)


def ordered_classes(source: Source, classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the classes in label order: as `data.classes` lists them, else sorted by name."""
    return tuple(classes or sorted({record.label for record in source.records}))


def class_names(data_config: Any) -> tuple[str, ...]:
    """Return the classes of a config's data in label order, without reading an image.

    Raises:
        DataError: as `find_images`.
    """
    known = known_class_names(data_config.source)  # without a download
    if known:
        return data_config.classes or tuple(sorted(known))
    return ordered_classes(find_images(data_config), data_config.classes)
