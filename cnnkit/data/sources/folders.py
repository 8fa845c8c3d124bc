"""List the images of a folder of class folders, with or without train, validation and test."""

from __future__ import annotations

import operator
import os
from pathlib import Path

from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.records import SPLITS, ImageRecord, Source
from cnnkit.data.sources.folder_layout import doubt_about, unlabelled
from cnnkit.data.sources.folder_walk import files_below, folders_and_files, is_folder, is_image
from cnnkit.data.sources.ignored import NEXT_TO, OTHER_FOLDER, Ignored, why_hidden
from cnnkit.data.split_words import split_from_folder
from cnnkit.errors import DataError
from cnnkit.text import count_of, first_few


def read_folder(root: Path) -> Source:
    """List the images of a folder.

    If the folder has `train/` (and perhaps `validation/` and `test/`, or other names that
    `split_from_folder` knows) with class folders inside, these are the split. In any other folder,
    each sub-folder is a class. Inside a class, folders may nest.

    Raises:
        DataError: there are no class folders, or two folders for one split.
    """
    ignored = Ignored()
    folders, files = folders_and_files(root, "", ignored)
    by_split = _split_folders(root, folders)
    for entry in files:
        ignored.add_file(NEXT_TO, entry.path, entry.name)
    if not by_split:
        return _source(root, _read_classes(root, folders, files, "", None, ignored), ignored)
    for entry in folders:
        if split_from_folder(entry.name) is None:
            ignored.add(OTHER_FOLDER, entry.name)
    parts = []
    for split in sorted(by_split, key=SPLITS.index):
        entry = by_split[split]
        prefix = f"{entry.name}/"
        inner_folders, inner_files = folders_and_files(entry.path, prefix, ignored)
        for file in inner_files:
            ignored.add_file(NEXT_TO, file.path, prefix + file.name)
        parts += _read_classes(entry.path, inner_folders, inner_files, prefix, split, ignored)
    return _source(root, parts, ignored)


_Class = tuple[str, list[ImageRecord], str]


def _source(root: Path, classes: list[_Class], ignored: Ignored) -> Source:
    records = [record for _, found, _ in classes for record in found]
    # The walk yields files in the order of the disk, which differs between computers.
    records.sort(key=operator.attrgetter("path"))
    empty = tuple((folder, content) for folder, found, content in classes if not found)
    doubt = doubt_about(root, records)
    notes = ignored.notes() + ((doubt,) if doubt else ())
    return Source(str(root), tuple(records), notes, empty, doubt, ignored.unread())


def _split_folders(root: Path, folders: list[os.DirEntry[str]]) -> dict[str, os.DirEntry[str]]:
    """Return the folder of each split; an empty dict if the folders are classes.

    A class may be called `train` (next to `car` and `bus`), so a `train` without `validation` or
    `test` counts as a split only if it contains folders.
    """
    by_split: dict[str, os.DirEntry[str]] = {}
    doubles = []
    for entry in sorted(folders, key=lambda entry: entry.name):
        split = split_from_folder(entry.name)
        if split in by_split:
            doubles.append((by_split[split].name, entry.name, split))
        elif split is not None:
            by_split[split] = entry
    all_are_splits = len(by_split) + len(doubles) == len(folders)
    # With other folders next to it, only the class folders inside show that `train` is a split.
    if not all_are_splits and not ("train" in by_split and _holds_folders(by_split["train"].path)):
        return {}
    # A single folder `train` without class folders is a class as well.
    if all_are_splits and set(by_split) == {"train"} and not _holds_folders(by_split["train"].path):
        return {}
    # Not earlier: as classes, two folders may be called `val` and `dev`.
    for first, second, split in doubles:
        raise DataError(
            f"{root} has two folders for the {split} split: {first} and {second}. "
            "Keep one of them, or merge them."
        )
    return by_split


def _holds_folders(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(not why_hidden(entry.name) and is_folder(entry) for entry in entries)


def _read_classes(
    folder: str | Path,
    folders: list[os.DirEntry[str]],
    files: list[os.DirEntry[str]],
    prefix: str,
    split: str | None,
    ignored: Ignored,
) -> list[_Class]:
    if not folders:
        images = sorted(entry.name for entry in files if is_image(entry.name))
        raise unlabelled(folder, split, images) if images else _no_class_folders(folder, files)
    return [
        _read_class(entry, f"{prefix}{entry.name}/", split, ignored)
        for entry in sorted(folders, key=lambda entry: entry.name)
    ]


def _no_class_folders(folder: str | Path, files: list[os.DirEntry[str]]) -> DataError:
    # Only for what it says about files in formats that are not read.
    found = Ignored()
    for entry in files:
        found.add_no_image(entry.path, entry.name)
    reason = (
        f"{folder} has no class folders: it contains "
        f"{count_of(len(files), 'file')} and no folder. Expected one folder for each class, "
        "with its images inside."
    )
    return DataError("\n".join([reason, *found.unread()]))


def _read_class(
    folder: os.DirEntry[str], prefix: str, split: str | None, ignored: Ignored
) -> _Class:
    records, others = [], []
    for path, shown in files_below(folder.path, prefix, ignored):
        if is_image(path):
            records.append(ImageRecord(shown, LocalFile(path), folder.name, split))
        else:
            others.append(shown[len(prefix) :])
            ignored.add_no_image(path, shown)
    content = f"it contains {first_few(sorted(others))}" if others else "it is empty"
    return prefix.rstrip("/"), records, content
