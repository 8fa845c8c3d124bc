"""A config's data section enters; the checked list of its images leaves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cnnkit.data.builtin import BUILTIN_SOURCES, write_builtin
from cnnkit.data.folders import read_folder
from cnnkit.data.records import SPLITS, Source, count_of, first_few, split_from_folder
from cnnkit.data.tables import read_table
from cnnkit.errors import DataError, did_you_mean


def find_images(data_config: Any) -> Source:
    """List the images to train on, and check that their classes fit together.

    Args:
        data_config: the `data` section: `source`, `shapes` and `allow_missing_classes` are read.

    Raises:
        DataError: the source is missing, cannot be read, or its classes or splits do not fit.
    """
    source = read_source(data_config.source, data_config.shapes)
    _check_empty_classes(source)
    _check_splits(source)
    _check_classes(source, data_config.allow_missing_classes)
    return source


def read_source(source: str | Path, shapes: Any) -> Source:
    """List the images of a folder, a CSV file or a built-in, without any check of the classes.

    Args:
        source: path, or the name of a built-in.
        shapes: the config of the built-in `shapes`; not read for other sources.
    """
    if str(source) in BUILTIN_SOURCES:
        return read_folder(write_builtin(str(source), shapes))
    path = Path(source)
    if path.is_dir():
        return read_folder(path)
    if path.is_file():
        return _read_file(path)
    raise _missing(path)


def _read_file(path: Path) -> Source:
    if path.suffix.lower() != ".csv":
        raise DataError(
            f"{path} is a file, but not a CSV file. Give a folder of class folders, or a .csv file "
            "with the columns path,label."
        )
    return read_table(path)


def _missing(path: Path) -> DataError:
    parent = path.parent
    if not parent.is_dir():
        return DataError(f"{path} does not exist; {parent} does not exist either.{_allowed()}")
    names = sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith("."))
    hint = did_you_mean(path.name, [*names, *BUILTIN_SOURCES])
    there = f"{parent} holds {first_few(names, 8)}." if names else f"{parent} is empty."
    return DataError(f"{path} does not exist.{hint} {there}{_allowed()}")


def _allowed() -> str:
    return (
        " data.source is a folder of class folders, a CSV file, or one of "
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


def _check_splits(source: Source) -> None:
    present = {record.split for record in source.records}
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


def class_names(data_config: Any) -> tuple[str, ...]:
    """Return the classes of a config's data in label order, without reading an image.

    Raises:
        DataError: as `find_images`.
    """
    return tuple(sorted({record.label for record in find_images(data_config).records}))
