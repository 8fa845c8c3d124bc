"""A CSV manifest path,label,split,sha256[,group] enters or leaves: which image is for what."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnkit.data.records import SPLITS, ImageRecord
from cnnkit.errors import UsageError
from cnnkit.files import PATHS_AS_THEY_ARE, write_csv
from cnnkit.text import count_of, first_few

_COLUMNS = ("path", "label", "split", "sha256")


class Row(NamedTuple):
    """One image of a manifest; `place` is the absolute path of its file."""

    place: str
    label: str
    split: str
    sha256: str
    group: str | None = None


class Manifest:
    """The sides that images have in a manifest that was written earlier.

    Args:
        rows: its images; none where there is no manifest yet.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._rows = rows
        self._of_content = {row.sha256: row for row in rows}
        self._of_place = {row.place: row for row in rows}
        self._labels = {(row.sha256, row.label) for row in rows}
        self.has_groups = any(row.group for row in rows)

    def row(self, place: str, sha256: str) -> Row | None:
        """Return the row of an image by its content, or else by its place; None for a new one."""
        return self._of_content.get(sha256) or self._of_place.get(place)

    def side(self, place: str, sha256: str) -> str | None:
        """Return the side of an image, None for a new one."""
        row = self.row(place, sha256)
        return row and row.split

    def is_relabelled(self, place: str, sha256: str, label: str) -> bool:
        """Tell whether an image is there, but not with this label."""
        row = self.row(place, sha256)
        return row is not None and label != row.label and (sha256, label) not in self._labels

    def gone(self, places: Iterable[str], hashes: Iterable[str]) -> list[str]:
        """Return the places of images whose place and content are both not among these."""
        there, known = set(places), set(hashes)
        return [
            row.place for row in self._rows if row.place not in there and row.sha256 not in known
        ]


def read_manifest(file: Path) -> Manifest:
    """Read a manifest that may be replaced; where there is no file, one without images.

    Raises:
        UsageError: the file is something else, and must not be replaced.
    """
    if file.suffix.lower() != ".csv":
        raise UsageError(f"--output {file}: the name must end in .csv.")
    if not file.exists():
        return Manifest()
    try:
        with file.open(newline="", **PATHS_AS_THEY_ARE) as stream:
            reader = csv.DictReader(stream)
            header, rows = tuple(reader.fieldnames or ()), list(reader)
    except (OSError, csv.Error) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from error
    if header not in (_COLUMNS, (*_COLUMNS, "group")) or not all(map(_is_whole, rows)):
        raise UsageError(
            f"{file} exists, and is not a manifest that this command wrote (its first line would "
            f"be {','.join(_COLUMNS)}). Give another --output."
        )
    folder = os.path.abspath(file.parent)
    return Manifest(
        [
            Row(os.path.normpath(os.path.join(folder, row["path"])), *map(row.get, Row._fields[1:]))
            for row in rows
        ]
    )


def _is_whole(row: Mapping[str, str]) -> bool:
    return None not in row and None not in row.values() and row["split"] in SPLITS


def write_manifest(file: Path, rows: Iterable[Row]) -> None:
    """Write a manifest whole or not at all; its paths are relative to its folder."""
    folder = os.path.abspath(file.parent)
    lines = [{**row._asdict(), "path": _relative(row.place, folder)} for row in rows]
    grouped = any(line["group"] for line in lines)
    columns = (*_COLUMNS, "group") if grouped else _COLUMNS
    lines.sort(key=lambda line: line["path"])
    write_csv(file, columns, ({name: line[name] for name in columns} for line in lines))


def _relative(place: str, folder: str) -> str:
    try:
        return os.path.relpath(place, folder).replace(os.sep, "/")
    except ValueError:  # on another drive
        return place.replace(os.sep, "/")


def changed_notes(records: Sequence[ImageRecord], hashes: Sequence[str]) -> list[str]:
    """Say which contents are not those that the source states."""
    changed = [
        record.path
        for record, sha256 in zip(records, hashes, strict=True)
        if record.sha256 not in (None, sha256)
    ]
    if not changed:
        return []
    noun = count_of(len(changed), "image has", "images have")
    return [f"{noun} changed since the manifest was written ({first_few(changed)})."]
