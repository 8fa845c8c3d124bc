"""Read and write the manifest of a split: a CSV file path,label,split,sha256[,group]."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnkit.data.records import SPLITS, ImageRecord
from cnnkit.errors import UsageError
from cnnkit.files import WITHOUT_MARK, write_csv
from cnnkit.text import count_of, first_few

_COLUMNS = ("path", "label", "split", "sha256")


class Row(NamedTuple):
    """One image of a manifest; `place` is the absolute path of its file."""

    place: str
    label: str
    split: str
    sha256: str
    group: str | None = None
    weight: float | None = None


class Manifest:
    """The splits of images in a manifest that was written earlier.

    Args:
        file: where it is, or will be written.
        rows: its images; none if there is no manifest yet.
    """

    def __init__(self, file: Path, rows: Sequence[Row] = ()) -> None:
        self.file = file
        self.num_images = len(rows)
        self._rows = rows
        self._of_content = {row.sha256: row for row in rows}
        self._of_place = {row.place: row for row in rows}
        self._labels = {(row.sha256, row.label) for row in rows}
        self.has_groups = any(row.group for row in rows)

    def row(self, place: str, sha256: str) -> Row | None:
        """Return the row of an image by its content, else by its place; None for a new image."""
        # The content first: an image that was renamed or moved keeps its split.
        return self._of_content.get(sha256) or self._of_place.get(place)

    def split_of(self, place: str, sha256: str) -> str | None:
        """Return the split of an image, None for a new image."""
        row = self.row(place, sha256)
        return row and row.split

    def is_relabelled(self, place: str, sha256: str, label: str) -> bool:
        """Return whether an image is in the manifest, but with another label."""
        row = self.row(place, sha256)
        return row is not None and label != row.label and (sha256, label) not in self._labels

    def gone(self, places: Iterable[str], hashes: Iterable[str]) -> list[str]:
        """Return the places of images if neither their place nor their content is given."""
        there, known = set(places), set(hashes)
        return [
            row.place for row in self._rows if row.place not in there and row.sha256 not in known
        ]


def read_manifest(file: Path, weight_column: str | None = None) -> Manifest:
    """Read a manifest that will be rewritten; if there is no file, return one without images.

    Args:
        file: the manifest.
        weight_column: a column that it may have in addition; its values are not read.

    Raises:
        UsageError: the file is not a manifest, so it must not be overwritten.
    """
    if file.suffix.lower() != ".csv":
        raise UsageError(f"--output {file}: the name must end in .csv.")
    if not file.exists():
        return Manifest(file)
    try:
        with file.open(newline="", **WITHOUT_MARK) as stream:
            reader = csv.DictReader(stream)
            header, rows = tuple(reader.fieldnames or ()), list(reader)
    except (OSError, csv.Error) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from error
    header = tuple(name for name in header if name != weight_column)
    if header not in (_COLUMNS, (*_COLUMNS, "group")) or not all(map(_is_whole, rows)):
        raise UsageError(
            f"{file} exists, but this command did not write it: its first line would be "
            f"{','.join(_COLUMNS)}. Choose another --output."
        )
    folder = os.path.abspath(file.parent)
    return Manifest(
        file,
        [
            Row(
                os.path.normpath(os.path.join(folder, row["path"])),
                row["label"],
                row["split"],
                row["sha256"],
                row.get("group"),
            )
            for row in rows
        ],
    )


def _is_whole(row: Mapping[str, str]) -> bool:
    # csv.DictReader collects surplus cells under the key None, and fills in None for missing ones.
    return None not in row and None not in row.values() and row["split"] in SPLITS


def write_manifest(file: Path, rows: Iterable[Row], weight_column: str | None = None) -> None:
    """Write a manifest as a whole or not at all; its paths are relative to its folder.

    Args:
        file: the manifest.
        rows: its images.
        weight_column: what the column with their weights is called, None for no such column.
    """
    folder = os.path.abspath(file.parent)
    lines = [{**row._asdict(), "path": _relative(row.place, folder)} for row in rows]
    grouped = any(line["group"] for line in lines)
    columns = (*_COLUMNS, "group") if grouped else _COLUMNS
    if weight_column is not None:
        columns = (*columns, weight_column)
        lines = [{**line, weight_column: line["weight"]} for line in lines]
    # Sorted, so that two versions of a manifest can be compared line by line.
    lines.sort(key=lambda line: line["path"])
    write_csv(file, columns, ({name: line[name] for name in columns} for line in lines))


def _relative(place: str, folder: str) -> str:
    try:
        return os.path.relpath(place, folder).replace(os.sep, "/")
    except ValueError:  # on another drive
        return place.replace(os.sep, "/")


def changed_notes(records: Sequence[ImageRecord], hashes: Sequence[str]) -> list[str]:
    """Return a sentence on images whose content is not the one that the source states."""
    changed = [
        record.path
        for record, sha256 in zip(records, hashes, strict=True)
        if record.sha256 not in (None, sha256)
    ]
    if not changed:
        return []
    noun = count_of(len(changed), "image has", "images have")
    return [f"{noun} changed since the manifest was written ({first_few(changed)})."]
