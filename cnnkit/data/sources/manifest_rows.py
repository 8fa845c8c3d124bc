"""Turn the rows of a CSV or JSONL manifest into image records, or report all bad rows at once."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cnnkit.config.data_section import SOURCE_COLUMNS
from cnnkit.data.records import SPLITS, ImageRecord, Source
from cnnkit.data.sources.manifest_paths import ManifestPaths
from cnnkit.data.split_words import split_from_word
from cnnkit.errors import DataError, did_you_mean
from cnnkit.text import shown

COLUMNS = SOURCE_COLUMNS

_MAX_SHOWN = 20
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


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
        weight_column: the column with a weight for each image, None for none.
    """

    def __init__(
        self,
        manifest: Path,
        wrong_byte: int | None,
        noun: str = "row",
        weight_column: str | None = None,
    ) -> None:
        self._manifest = manifest
        self._wrong_byte = wrong_byte
        self._noun = noun
        self._weight_column = weight_column
        self._paths = ManifestPaths(manifest)
        self._line_of_file: dict[str, int] = {}
        self._bad_rows: list[_BadRow] = []
        self._records: list[ImageRecord] = []
        self._lines: list[int] = []

    def refuse(self, line: int, problem: str, *, is_missing: bool = False) -> None:
        """Remember what is wrong with a line."""
        self._bad_rows.append(_BadRow(line, problem, is_missing))

    def read(self, line: int, row: Mapping[str, str]) -> None:
        """Add one row: `path` and `label`, perhaps `split`, `group`, `sha256` and the weight."""
        path, problem = row["path"], _problem(row)
        weight = None
        if self._weight_column is not None:
            weight = _weight(row.get(self._weight_column, ""))
            if problem is None and weight is None:
                problem = _weight_problem(row, self._weight_column)
        if not path.strip():
            return self.refuse(line, "the path is empty")
        place, file = self._paths.find(path)
        # By the file that was found: two rows may spell its path differently.
        first_line = self._line_of_file.setdefault(place, line)
        if first_line != line:
            self.refuse(line, f"{shown(path)} is already in line {first_line}")
        if problem:
            return self.refuse(line, problem)
        if first_line != line:
            return None
        if file is None:
            why, is_missing = self._paths.why_not(path, place)
            return self.refuse(line, f"{shown(path)} {why}", is_missing=is_missing)
        split = split_from_word(row.get("split", ""))
        group, sha256 = row.get("group") or None, row.get("sha256", "").lower() or None
        self._lines.append(line)
        self._records.append(
            ImageRecord(self._paths.shown(place), file, row["label"], split, group, sha256, weight)
        )

    def lists(self, path: str) -> bool:
        """Tell whether a path leads to an image."""
        return self._paths.find(path)[1] is not None

    def source(self) -> Source:
        """Return the images of all rows.

        Raises:
            DataError: there are bad rows, or no rows at all.
        """
        bad_rows = sorted(self._bad_rows + self._unsplit_rows())
        # The wrong byte is the likeliest reason of all bad rows.
        if bad_rows and self._wrong_byte is not None:
            raise DataError(
                f"{self._manifest} is not UTF-8 text (byte {self._wrong_byte}). Save it as UTF-8."
            )
        if bad_rows:
            raise DataError("\n".join(self._listed(bad_rows)))
        if not self._records:
            raise DataError(f"{self._manifest} lists no image: it has no {self._noun}s.")
        records = sorted(self._records, key=operator.attrgetter("path"))
        return Source(str(self._manifest), tuple(records), self._paths.notes())

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
                "this file, run that command again to update it. Paths are relative to the folder "
                f"of the file, {self._paths.folder}."
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


def _weight(text: str) -> float | None:
    """Return the number in a cell, None if it cannot be a weight."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def _weight_problem(row: Mapping[str, str], column: str) -> str:
    path, text = shown(row["path"]), row.get(column, "")
    if not text:
        return f"{path} has no {shown(column)}; write 1 for an image that counts like others"
    return f"the {shown(column)} of {path} is {text!r}, expected a number of at least 0"


def _problem(row: Mapping[str, str]) -> str | None:
    path, split, sha256 = shown(row["path"]), row.get("split", ""), row.get("sha256", "")
    if not row["label"]:
        return f"{path} has no label"
    # Bytes that are not UTF-8 were read as these surrogates: right for paths, wrong for labels.
    if any("\udc80" <= letter <= "\udcff" for letter in row["label"]):
        return f"the label of {path} is not UTF-8 text"
    if split and split_from_word(split) is None:
        hint = did_you_mean(split, SPLITS)
        return f"unknown split {split!r}, expected {', '.join(SPLITS)}.{hint}"
    if sha256 and not _SHA256.fullmatch(sha256):
        return f"the sha256 of {path} is not 64 hexadecimal digits but {sha256!r}"
    return None
