"""List the images of a TFRecord file, or of a folder of TFRecord files."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.data.records import ImageRecord, Source
from cnnkit.data.sources.tfrecord import (
    DamagedRecordError,
    RecordImage,
    encoded_image,
    example_features,
    is_tfrecord_name,
    read_data,
    read_frames,
    record_error,
)
from cnnkit.data.split_words import split_within
from cnnkit.errors import DataError
from cnnkit.files import open_regular
from cnnkit.text import count_of, first_few

_TEXT, _NUMBER = "image/class/text", "image/class/label"
_SHARD = re.compile(r"(.*-)(\d+)-of-(\d+)(.*)")


@dataclass(slots=True)
class _Found:
    """An image, with the class as text and as number if its record has them."""

    image: RecordImage
    text: str | None
    number: int | None


def holds_tfrecords(folder: Path) -> bool:
    """Return whether a folder contains TFRecord files and no folders."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            return not any(entry.is_dir() for entry in shown) and any(
                is_tfrecord_name(entry.name) for entry in shown
            )
    except OSError:  # `read_folder` will say what is wrong
        return False


def read_tfrecords(path: Path) -> Source:
    """List the images of a TFRecord file, or of all TFRecord files in a folder.

    A record has an image file in `image/encoded` and its class in `image/class/text` or
    `image/class/label`. The split comes from the file names if all of them name one.

    Raises:
        DataError: a file is damaged or truncated, or a record lacks a feature.
    """
    names = sorted(os.listdir(path)) if path.is_dir() else [path.name]
    folder = path if path.is_dir() else path.parent
    files = [name for name in names if is_tfrecord_name(name)] if path.is_dir() else names
    splits, notes = _splits(files)
    notes += _ignored(names, files) + (_missing_shards(files) if path.is_dir() else [])
    found = {name: _images(str(folder / name)) for name in files}
    label_of, more_notes = _naming(each for images in found.values() for each in images)
    records = [
        ImageRecord(f"{name}#{each.image.number}", each.image, label_of(each), splits.get(name))
        for name, images in found.items()
        for each in images
    ]
    if not records:
        raise DataError(f"{path} contains no record.")
    records.sort(key=operator.attrgetter("path"))
    return Source(str(path), tuple(records), tuple(notes + more_notes))


def _splits(files: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the split of each file by its name; none if some names have no split."""
    splits = {name: split for name in files if (split := split_within(name))}
    rest = [name for name in files if name not in splits]
    if not splits or not rest:
        return splits, []
    return {}, [
        f"Some file names have a split ({first_few(splits)}), others do not ({first_few(rest)}). "
        "The names are ignored: all images are split together."
    ]


def _ignored(names: list[str], files: list[str]) -> list[str]:
    others = sorted(set(names) - set(files))
    if not others:
        return []
    noun = count_of(len(others), "file whose name is", "files whose names are")
    return [f"Ignored: {noun} not that of a TFRecord file ({first_few(others)})."]


def _missing_shards(files: list[str]) -> list[str]:
    """Return a sentence for each series of files like `train-00002-of-00004` with gaps."""
    shards: dict[tuple[str, int, str], set[int]] = {}
    for match in filter(None, map(_SHARD.fullmatch, files)):
        shards.setdefault((match[1], int(match[3]), match[4]), set()).add(int(match[2]))
    return [
        f"{start}*-of-{number:05d}{end}: {count_of(number - len(there), 'file')} of {number:,} "
        f"missing (number {first_few(str(n) for n in range(number) if n not in there)})."
        for (start, number, end), there in sorted(shards.items())
        if len(there) < number
    ]


def _images(file: str) -> list[_Found]:
    found: list[_Found] = []
    try:
        with open_regular(file) as stream:
            for image in read_frames(file, stream):
                found.append(_found(image, read_data(stream, image.offset, image.length)))
    except OSError as error:
        raise record_error(file, len(found), error) from error
    return found


def _found(image: RecordImage, data: bytes) -> _Found:
    features = example_features(data)
    # Called only to refuse a record without an image.
    encoded_image(features)
    text: Sequence[bytes] = features[_TEXT].bytes_list.value if _TEXT in features else ()
    number: Sequence[int] = features[_NUMBER].int64_list.value if _NUMBER in features else ()
    name = _decoded(text[0]) if len(text) == 1 else ""
    if len(text) > 1 or len(number) > 1 or not (name or number):
        raise DamagedRecordError(
            f"expected one class in {_TEXT} or {_NUMBER}; features: {', '.join(sorted(features))}"
        )
    return _Found(image, name or None, number[0] if number else None)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise DamagedRecordError(f"{_TEXT} is not UTF-8 text but {text!r}") from None


def _naming(found: Iterable[_Found]) -> tuple[Any, list[str]]:
    """Return a function that gives the class name of an image, and notes on the choice.

    The text is the class name, unless some record has no text, or one text has two numbers.
    """
    numbers_of: dict[str | None, set[int | None]] = {}
    for each in found:
        numbers_of.setdefault(each.text, set()).add(each.number)
    double = sorted(text for text, numbers in numbers_of.items() if text and len(numbers) > 1)
    if None not in numbers_of and not double:
        return operator.attrgetter("text"), []
    if any(None in numbers for numbers in numbers_of.values()):
        raise DataError(
            f"Some records have the class only in {_TEXT}, others only in {_NUMBER}: all records "
            "of a source need the same feature."
        )
    reason = f"{double[0]} has several labels" if double else "not all records have it"
    # No note if no record has a text: then there was nothing to choose.
    notes = [f"The class names come from {_NUMBER}, not from {_TEXT}: {reason}."] * any(numbers_of)
    return lambda each: str(each.number), notes
