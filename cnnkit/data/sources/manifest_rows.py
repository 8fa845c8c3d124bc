"""Turn the rows of a CSV or JSONL manifest into image records, or report all bad rows at once."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cnnkit.data.records import SPLITS, ImageFile, ImageRecord, LocalFile, Source
from cnnkit.data.sources.tfrecord import record_at
from cnnkit.data.split_words import split_from_word
from cnnkit.errors import DataError, did_you_mean
from cnnkit.files import PATHS_AS_THEY_ARE, why_unreadable

COLUMNS = ("path", "label", "split", "group", "sha256")

_MAX_SHOWN = 20
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class ManifestText:
    """The text of a manifest: UTF-8, except for file names, which may have any bytes.

    Args:
        manifest: the file.

    Raises:
        DataError: the file cannot be read.
    """

    def __init__(self, manifest: Path) -> None:
        try:
            content = manifest.read_bytes()
        except OSError as error:
            raise DataError(f"{manifest} cannot be read: {error.strerror or error}.") from error
        self.text = content.removeprefix(b"\xef\xbb\xbf").decode(**PATHS_AS_THEY_ARE)
        try:
            content.decode()
        except UnicodeDecodeError as error:
            self.wrong_byte: int | None = error.start
        else:
            self.wrong_byte = None


class _BadRow(NamedTuple):
    """What is wrong with a row; `is_missing` if its file does not exist."""

    line: int
    text: str
    is_missing: bool = False


class RowReader:
    """Turn rows into records, and collect what is wrong with them.

    Args:
        manifest: the file with the rows; paths in it are relative to its folder.
        wrong_byte: the first byte that is not UTF-8, None if there is none.
        noun: what messages call a row.
    """

    def __init__(self, manifest: Path, wrong_byte: int | None, noun: str = "row") -> None:
        self._manifest = manifest
        self._wrong_byte = wrong_byte
        self._noun = noun
        self._folder = os.path.abspath(manifest.parent)
        self._inside = self._folder.rstrip(os.sep) + os.sep
        self._line_of_file: dict[str, int] = {}
        self._bad_rows: list[_BadRow] = []
        self._records: list[ImageRecord] = []
        self._lines: list[int] = []

    def refuse(self, line: int, problem: str, *, is_missing: bool = False) -> None:
        """Remember what is wrong with a line."""
        self._bad_rows.append(_BadRow(line, problem, is_missing))

    def read(self, line: int, row: Mapping[str, str]) -> None:
        """Add one row: `path` and `label`, and perhaps `split`, `group` and `sha256`."""
        path, problem = row["path"], _problem(row)
        if not path.strip():
            return self.refuse(line, "the path is empty")
        place, file = self._find(path)
        first_line = self._line_of_file.setdefault(place, line)
        if first_line != line:
            self.refuse(line, f"{path} is already in line {first_line}")
        if problem:
            return self.refuse(line, problem)
        if first_line != line:
            return None
        if file is None:
            is_missing = not os.path.lexists(place)
            why = "does not exist" if is_missing else _why_not(place)
            text = f"{path} {why} (looked for {place})"
            return self.refuse(line, text, is_missing=is_missing)
        split = split_from_word(row.get("split", ""))
        group, sha256 = row.get("group") or None, row.get("sha256", "").lower() or None
        self._lines.append(line)
        self._records.append(
            ImageRecord(self._shown(place), file, row["label"], split, group, sha256)
        )

    def _find(self, path: str) -> tuple[str, ImageFile | None]:
        """Return the absolute path and its image; a file name may begin or end with blanks."""
        for text in (path, path.strip()):
            place = os.path.normpath(os.path.join(self._folder, text))
            if os.path.isfile(place):
                return place, LocalFile(place)
            if record := record_at(place):
                return place, record
        return place, None

    def _shown(self, place: str) -> str:
        return place.removeprefix(self._inside).replace(os.sep, "/")

    def source(self) -> Source:
        """Return the images of all rows.

        Raises:
            DataError: there are bad rows, or no rows at all.
        """
        bad_rows = sorted(self._bad_rows + self._unsplit_rows())
        if bad_rows and self._wrong_byte is not None:
            raise DataError(
                f"{self._manifest} is not UTF-8 text (byte {self._wrong_byte}). Save it as UTF-8."
            )
        if bad_rows:
            raise DataError("\n".join(self._listed(bad_rows)))
        if not self._records:
            raise DataError(f"{self._manifest} lists no image: it has no {self._noun}s.")
        records = sorted(self._records, key=operator.attrgetter("path"))
        return Source(str(self._manifest), tuple(records))

    def _listed(self, bad_rows: list[_BadRow]) -> list[str]:
        number = len({row.line for row in bad_rows})
        noun = self._noun if number == 1 else f"{self._noun}s"
        lines = [f"{self._manifest} has {number:,} bad {noun}:"]
        lines += [f"  line {row.line}: {row.text}" for row in bad_rows[:_MAX_SHOWN]]
        if len(bad_rows) > _MAX_SHOWN:
            lines.append(f"  and {len(bad_rows) - _MAX_SHOWN:,} more")
        if any(row.is_missing for row in bad_rows):
            lines.append(
                f"Put the files back, or remove their {self._noun}s. If `cnnkit data split` wrote "
                "this file, run that command again to update it."
            )
        return lines

    def _unsplit_rows(self) -> list[_BadRow]:
        """Return the rows without a split, if other rows have one."""
        unsplit = [
            _BadRow(line, f"{record.path} has no split, but other {self._noun}s have one")
            for line, record in zip(self._lines, self._records, strict=True)
            if record.split is None
        ]
        return [] if len(unsplit) == len(self._records) else unsplit


def _why_not(place: str) -> str:
    """Return why something that exists is no image file."""
    _, reason = why_unreadable(place) or ("", "it is no image")
    return reason.removeprefix("it ")


def _problem(row: Mapping[str, str]) -> str | None:
    path, split, sha256 = row["path"], row.get("split", ""), row.get("sha256", "")
    if not row["label"]:
        return f"{path} has no label"
    if any("\udc80" <= letter <= "\udcff" for letter in row["label"]):
        return f"the label of {path} is not UTF-8 text"
    if split and split_from_word(split) is None:
        hint = did_you_mean(split, SPLITS)
        return f"unknown split {split!r}, expected {', '.join(SPLITS)}.{hint}"
    if sha256 and not _SHA256.fullmatch(sha256):
        return f"the sha256 of {path} is not 64 hexadecimal digits but {sha256!r}"
    return None
