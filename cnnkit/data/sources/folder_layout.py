"""Recognise folders with another layout than the one that is read, and say what to do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cnnkit.data.records import ImageRecord
from cnnkit.data.split_words import split_within
from cnnkit.errors import DataError
from cnnkit.text import count_of, first_few, shown


def unlabelled(folder: str | Path, split: str | None, images: list[str]) -> DataError:
    """Return the refusal of a folder that contains images, but no class folders.

    Args:
        folder: the folder with the images.
        split: the split that the folder is for; None if it is the source itself.
        images: their names.
    """
    held = f"{folder} contains {count_of(len(images), 'image')} ({first_few(images)}) but no class "
    if split in ("validation", "test"):
        return DataError(
            f"{held}folders: their classes are not known, so no model can be scored on them. Move "
            f"the folder out of {Path(folder).parent}; after training, `cnnkit predict` answers "
            "what its images show. If you know the classes, make one folder for each class inside "
            "and move the images into it."
        )
    return DataError(
        f"{held}folders. Make one folder for each class and move its images into it, or write a "
        "CSV file with the columns path,label and give that file instead of the folder."
    )


def doubt_about(root: Path, records: Sequence[ImageRecord]) -> str:
    """Return a sentence if the folders inside the classes look as if they were the classes.

    Args:
        root: the source.
        records: its images, with posix paths relative to it.

    Raises:
        DataError: the names of the folders leave no doubt that they are splits.
    """
    if any(record.split for record in records):
        return _wrapped_split(root, records)
    inner = _inner_folders(records)
    if len(inner) == 1:
        return _wrapped(root, records)
    splits = {split_within(name) for name in inner}
    # Without folders inside, classes may well be called train and test.
    if len(splits) > 1 and None not in splits and any(inner.values()):
        raise DataError(
            f"{root} has the folders {first_few(sorted(inner), 5)}. Their names are "
            "those of splits, and the folders inside look like the classes. Rename them to train, "
            "validation and test, or write a CSV file with the columns path,label,split."
        )
    first = next(iter(inner.values()), set())
    if len(inner) > 1 and len(first) > 1 and all(names == first for names in inner.values()):
        return (
            f"All class folders of {root} contain the same folders ({first_few(sorted(first))}). "
            f"If these are the classes, then {first_few(sorted(inner))} are splits or other parts: "
            "rename them to train, validation and test, or write a CSV file with the columns "
            "path,label,split."
        )
    return ""


def _inner_folders(records: Sequence[ImageRecord]) -> dict[str, set[str]]:
    """Return the folders inside each class folder; none for a class with images of its own."""
    inner: dict[str, set[str]] = {}
    has_images = set()
    for record in records:
        folder, name, *below = record.path.split("/", 2)
        inner.setdefault(folder, set())
        if below:
            inner[folder].add(name)
        else:
            has_images.add(folder)
    return {folder: set() if folder in has_images else names for folder, names in inner.items()}


def _wrapped_split(root: Path, records: Sequence[ImageRecord]) -> str:
    """Return a sentence on a split whose classes are one folder deeper, as in `train/train/cat`."""
    by_split: dict[str | None, list[ImageRecord]] = {}
    for record in records:
        by_split.setdefault(record.split, []).append(record)
    found = [_below(of_split, 1) for of_split in by_split.values()]
    wrappers = sorted(wrapper for wrapper, names in found if names)
    if not wrappers:
        return ""
    top = first_few(sorted({wrapper.partition("/")[0] for wrapper in wrappers}))
    return (
        f"{root} has one folder too many: in {top}, all images are inside the single folder "
        f"{first_few(wrappers)}. Move the class folders out of it, one level up."
    )


def _wrapped(root: Path, records: Sequence[ImageRecord]) -> str:
    wrapper, names = _below(records, 0)
    if not names:
        return ""
    return (
        f"{root} contains only the folder {shown(wrapper)}, and the classes seem to be the folders "
        f"inside it ({first_few(sorted(names))}). Give {shown(os.path.join(root, wrapper))} as the "
        "source."
    )


def _below(records: Sequence[ImageRecord], depth: int) -> tuple[str, set[str]]:
    """Return the folder that all images share, and the folders in it; no folders if that is usual.

    Args:
        records: the images.
        depth: the number of folders that they share anyway.
    """
    folders = [record.path.split("/")[:-1] for record in records]
    # In spite of its name it compares any lists item by item: here whole folder names, not letters.
    shared = list(os.path.commonprefix(folders))
    names = {folder[len(shared)] if len(folder) > len(shared) else "" for folder in folders}
    is_wrapper = len(shared) > depth and len(names) > 1 and "" not in names
    return "/".join(shared), names if is_wrapper else set()
