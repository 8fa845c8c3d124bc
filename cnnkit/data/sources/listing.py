"""List the images of a source of any kind, and check that their classes fit together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cnnkit.config import BUILT_IN_SOURCES, DataConfig, ShapesConfig
from cnnkit.data.other_spellings import with_class_names
from cnnkit.data.records import SPLITS, Source, without_collection
from cnnkit.data.sources.builtin import builtin_folder
from cnnkit.data.sources.builtin_names import is_builtin
from cnnkit.data.sources.class_checks import check_listed, check_two
from cnnkit.data.sources.csv_file import read_table
from cnnkit.data.sources.folders import read_folder
from cnnkit.data.sources.json_lines import read_json_lines
from cnnkit.data.sources.tfrecord import is_tfrecord_name
from cnnkit.data.sources.tfrecord_source import holds_tfrecords, read_tfrecords
from cnnkit.data.split_words import split_from_folder
from cnnkit.errors import DataError, did_you_mean
from cnnkit.files import why_unreadable
from cnnkit.text import count_of, first_few, shown

# What to do with other files that often come with images and labels.
_CONVERSIONS = {
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"), "Unpack it. "),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "Save the table as CSV. "),
    ".json": "Export it as CSV, or write one object per line. ",
}


@without_collection
def find_images(data_config: DataConfig) -> Source:
    """List the images to train on, and check that their classes fit together.

    Args:
        data_config: its source, and what is said of its classes and weights.

    Raises:
        DataError: the source is missing, cannot be read, or its classes or splits do not fit.
    """
    found = read_source(
        data_config.source, data_config.shapes, weight_column=data_config.weight_column
    )
    found = with_class_names(found, data_config.classes or ())
    # The folders of one split may come from a Mac and spell the accents of a class differently.
    found = with_class_names(found, _classes_of(found, "train"), splits=("validation", "test"))
    source = only_classes(found, data_config.classes) if data_config.classes else found
    _check_empty_classes(source)
    # Of all images, not only of the listed classes: the message names the classes that there are.
    in_train = {record.label for record in found.records if record.split in (None, "train")}
    check_listed(found.name, in_train, data_config.classes or ())
    _check_splits(source, {record.split for record in found.records})
    _check_classes(source, data_config.allow_missing_classes)
    return source


def read_source(
    source: str | Path,
    shapes: ShapesConfig,
    *,
    option: str = "data.source",
    weight_column: str | None = None,
) -> Source:
    """List the images of a folder, a file or a built-in, without any check of the classes.

    Args:
        source: a path, or the name of a built-in as a `str`. `digits` is the built-in; `./digits`,
            `digits/` and `Path("digits")` are a folder.
        shapes: the config of the built-in `shapes`; not used for other sources.
        option: where the user gave the source, for messages.
        weight_column: the column of a CSV or JSONL file with the weights of images, None for none.
    """
    path = Path(source)
    if path.is_file() and not is_builtin(source):
        return _read_file(path, weight_column)
    if weight_column is not None and (is_builtin(source) or path.is_dir()):
        raise _no_columns(source)
    if is_builtin(source):
        return read_folder(builtin_folder(str(source), shapes))
    if path.is_dir():
        return read_tfrecords(path) if holds_tfrecords(path) else read_folder(path)
    raise _missing(path, option)


def check_source(source: str | Path, option: str = "data.source") -> None:
    """Refuse a source that does not exist, without reading it.

    Args:
        source: as for `read_source`.
        option: where the user gave the source, for messages.
    """
    if not is_builtin(source) and not (Path(source).is_dir() or Path(source).is_file()):
        raise _missing(Path(source), option)


def _read_file(path: Path, weight_column: str | None) -> Source:
    extension = path.suffix.lower()
    if extension in (".csv", ".tsv"):
        return read_table(path, weight_column)
    if extension in (".jsonl", ".ndjson"):
        return read_json_lines(path, weight_column)
    if is_tfrecord_name(path.name):
        if weight_column is not None:
            raise _no_columns(path)
        return read_tfrecords(path)
    raise DataError(
        f"{path} is a file, but it does not end in .csv, .tsv, .jsonl or .tfrecord. "
        f"{_CONVERSIONS.get(extension, '')}Give a folder of class folders, a .csv file with the "
        "columns path,label, a .jsonl file with the same keys, or a .tfrecord file."
    )


def _no_columns(source: str | Path) -> DataError:
    return DataError(
        f"data.weight_column names a column of a CSV or JSONL file, but data.source is "
        f"{shown(str(source))}. `cnnkit data split FOLDER` writes a CSV file of a folder, to which "
        "you can add the column. Or remove data.weight_column."
    )


def _missing(path: Path, option: str) -> DataError:
    parent, name = path.parent, shown(str(path))
    if os.path.lexists(path):
        _, reason = why_unreadable(path) or ("", "it is a file")
        return DataError(f"{name} cannot be read: {reason}.{_allowed(option)}")
    if not parent.is_dir():
        return DataError(
            f"{name} does not exist; {shown(str(parent))} does not exist either.{_allowed(option)}"
        )
    names = sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith("."))
    hint = did_you_mean(path.name, [*names, *BUILT_IN_SOURCES])
    folder = "the current folder" if parent == Path() else shown(str(parent))
    there = f"contains {first_few(names, 8)}." if names else "is empty."
    there = f"{folder} {there}"
    return DataError(
        f"{name} does not exist.{hint} {there[0].upper()}{there[1:]}{_allowed(option)}"
    )


def _allowed(option: str) -> str:
    return (
        f" {option} is a folder of class folders, a CSV, JSONL or TFRecord file, or one of "
        f"{', '.join(BUILT_IN_SOURCES)}."
    )


def _check_empty_classes(source: Source) -> None:
    """Refuse class folders without images, except in validation and test: see `_check_classes`."""
    in_train = [
        (folder, content)
        for folder, content in source.empty_classes
        if _held_out_split(folder) is None
    ]
    if in_train:
        lines = [f"  {folder} has no image: {content}." for folder, content in in_train]
        names = "folder" if len(in_train) == 1 else "folders"
        first = f"{source.name} has {len(in_train):,} class {names} without an image:"
        last = f"Put images into the {names}, or remove the {names}."
        raise DataError("\n".join([first, *lines, *source.unread, last]))


def _held_out_split(folder: str) -> str | None:
    """Return `validation` for the folder `validation/cat`; None for `train/cat` and for `cat`."""
    top, _, inner = folder.partition("/")
    split = split_from_folder(top) if inner else None
    return None if split == "train" else split


def _check_splits(source: Source, before: set[str | None]) -> None:
    """Refuse a split without images, even if it is data.classes that leaves it without any.

    Args:
        source: the images of the listed classes.
        before: the splits of all images, of any class.
    """
    present = {record.split for record in source.records}
    for split in sorted(name for name in before - present if name):
        raise DataError(
            f"{source.name}: the {split} split has no image of the classes that data.classes lists."
        )
    empty = {_held_out_split(folder) for folder, _ in source.empty_classes} - present - {None}
    for split in sorted(name for name in empty if name):
        raise DataError(
            f"{source.name} has a folder for the {split} split, but it contains no image. Put "
            "images into it, or remove the folder so that the split is taken from train."
            + "".join(f"\n{sentence}" for sentence in source.unread)
        )
    if present != {None} and source.records and "train" not in present:
        found = " and a ".join(split for split in SPLITS if split in present)
        raise DataError(
            f"{source.name} has a {found} split but no train split, so there is nothing to train "
            "on. Add a train folder, or train rows in the CSV."
        )


def _classes_of(source: Source, split: str) -> set[str]:
    return {record.label for record in source.records if record.split == split}


def _check_classes(source: Source, allow_missing: bool) -> None:
    by_split = classes_by_split(source)
    # If the images have no split, train is drawn from all of them.
    train = by_split.get("train", by_split.get(None, set()))
    for split in ("validation", "test"):
        if split in by_split:
            _check_split_classes(source, split, by_split[split], train, allow_missing)
    broken = sorted(name for name in train if not name.isprintable())
    if broken:
        raise DataError(
            f"{source.name} has a class name with a line break or another unprintable character: "
            f"{broken[0]!r}. Rename the class."
        )
    check_two(source.name, train, source.doubt)


def classes_by_split(source: Source) -> dict[str | None, set[str]]:
    """Return the classes of each split; under the key None those of images without a split."""
    by_split: dict[str | None, set[str]] = {}
    for record in source.records:
        by_split.setdefault(record.split, set()).add(record.label)
    return by_split


def _check_split_classes(
    source: Source, split: str, classes: Iterable[str], train: set[str], allow_missing: bool
) -> None:
    name, extra = source.name, sorted(set(classes) - train)
    if extra:
        near = did_you_mean(extra[0], train)
        advice = (
            f"{near} A model cannot predict a class that it was not trained on: rename or remove "
            "it, or add it to train."
        )
        raise DataError(
            f"{name}: the {split} split has {count_of(len(extra), 'class', 'classes')} that train "
            f"lacks: {first_few(extra, 10)}.{f' {source.doubt}' if source.doubt else advice}"
        )
    missing = sorted(train - set(classes))
    if missing and not allow_missing:
        raise DataError(
            f"{name}: the {split} split lacks {count_of(len(missing), 'class', 'classes')} that "
            f"train has: {first_few(missing, 10)}. Add images of it, or set "
            "data.allow_missing_classes: true to score without it."
        )


def only_classes(source: Source, classes: Sequence[str]) -> Source:
    """Return the source with only the images of these classes; a note counts the others."""
    source, listed = with_class_names(source, classes), set(classes)
    kept = tuple(record for record in source.records if record.label in listed)
    empty = tuple(row for row in source.empty_classes if row[0].rpartition("/")[2] in listed)
    others = sorted({record.label for record in source.records} - listed)
    notes = source.notes
    if others:
        ignored = count_of(len(source.records) - len(kept), "image")
        names = f"{count_of(len(others), 'class', 'classes')} ({first_few(others)})"
        notes += (f"Ignored: {ignored} of {names} that data.classes does not list.",)
    return replace(source, records=kept, notes=notes, empty_classes=empty)


def ordered_classes(source: Source, classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the classes in label order: as `data.classes` lists them, else sorted by name."""
    return tuple(classes or sorted({record.label for record in source.records}))
