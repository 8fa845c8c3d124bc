"""Join the answers of `cnnkit predict --shard` into one file, in the order of the paths."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cnnkit.errors import UsageError
from cnnkit.files import PATHS_AS_THEY_ARE, atomic_write
from cnnkit.text import count_of, first_few, shown


class _Row(NamedTuple):
    """A line of answers; in CSV a path may contain line breaks, so it may be several lines."""

    path: str
    is_ignored: bool  # JSON lines end with the files that are not predicted
    has_error: bool
    content: bytes


@dataclass(frozen=True)
class MergedAnswers:
    """What was joined.

    Args:
        output: the file that was written.
        num_files: that were read.
        num_images: in the output.
        errors: paths of the images that could not be read.
    """

    output: Path
    num_files: int
    num_images: int
    errors: tuple[str, ...]

    def text(self) -> str:
        """Return it in words."""
        files, images = count_of(self.num_files, "file"), count_of(self.num_images, "image")
        failed = ""
        if self.errors:
            failed = f"; {count_of(len(self.errors), 'image')} could not be read "
            failed += f"({first_few(self.errors)})"
        return f"{shown(str(self.output))}: {images} from {files}{failed}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return {
            "output": str(self.output),
            "files": self.num_files,
            "images": self.num_images,
            "errors": list(self.errors),
        }


def merge_answers(files: Sequence[Path], output: Path) -> MergedAnswers:
    """Join files with answers. A row that several files have in the same way appears once.

    Only the places of the rows are kept in memory, so there may be millions.

    Args:
        files: CSV or JSON lines of `cnnkit predict`, all of one kind and of one model.
        output: the file to write; its name ends like theirs.

    Raises:
        UsageError: the files are not of one kind, have no answers of cnnkit or other columns, or
            disagree about an image.
    """
    if {path.suffix.lower() for path in (*files, output)} not in ({".csv"}, {".jsonl"}):
        raise UsageError(
            "The names of all files, also of --output, must end in .csv, in .jsonl, or in .parquet."
        )
    with contextlib.ExitStack() as stack:
        header = _common_header(files)
        readers = [stack.enter_context(path.open("rb")) for path in files]
        places: dict[tuple[bool, str], tuple[BinaryIO, int, int]] = {}
        errors = []
        for path, reader in zip(files, readers, strict=True):
            begin = len(header)
            for row in _rows(path, header):
                key, place = (row.is_ignored, row.path), (reader, begin, len(row.content))
                begin += len(row.content)
                if key not in places:
                    places[key] = place
                    errors += [row.path] * row.has_error
                elif _content(*places[key]) != row.content:
                    raise UsageError(
                        f"{shown(row.path)} has another answer in {shown(str(path))} than in a "
                        "file before it. Merge the answers of one model."
                    )
        with atomic_write(output, "wb") as merged:
            merged.write(header)
            for key in sorted(places):
                merged.write(_content(*places[key]))
    images = sum(not is_ignored for is_ignored, _ in places)
    return MergedAnswers(output, len(files), images, tuple(sorted(errors)))


def _content(file: BinaryIO, begin: int, length: int) -> bytes:
    file.seek(begin)
    return file.read(length)


def _common_header(files: Sequence[Path]) -> bytes:
    """Return the first line of CSV files, nothing for JSON lines.

    Raises:
        UsageError: a file has another first line, or it is not one of answers.
    """
    if files[0].suffix.lower() == ".jsonl":
        return b""
    headers = []
    for path in files:
        with path.open("rb") as file:
            headers.append(file.readline())
        if not headers[-1].startswith(b"path,prediction,probability,"):
            raise UsageError(f"{shown(str(path))} has no answers of cnnkit predict.")
        if headers[-1] != headers[0]:
            raise UsageError(
                f"{shown(str(path))} has other columns than {shown(str(files[0]))}. Merge the "
                "answers of one model, made with the same --topk."
            )
    return headers[0]


def _rows(path: Path, header: bytes) -> Iterator[_Row]:
    """Yield the rows of a file.

    Raises:
        UsageError: a row is not one of answers, or the last one is not whole.
    """
    read = _csv_rows if header else _json_rows
    number = 1
    with path.open("rb") as file:
        try:
            for row in read(file):
                if not row.content.endswith(b"\n"):
                    raise ValueError("it is cut off")
                yield row
                number += 1
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise UsageError(
                f"{shown(str(path))}: answer {number:,} cannot be read ({error}). Run that "
                "prediction again."
            ) from error


def _csv_rows(file: BinaryIO) -> Iterator[_Row]:
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        for line in file:
            taken.append(line)
            yield line.decode(**PATHS_AS_THEY_ARE)

    records = csv.reader(lines(), strict=True)
    columns = next(records)
    taken.clear()
    for record in records:
        values = dict(zip(columns, record, strict=True))
        yield _Row(values["path"], False, bool(values["error"]), b"".join(taken))
        taken.clear()


def _json_rows(file: BinaryIO) -> Iterator[_Row]:
    for line in file:
        facts = json.loads(line)
        yield _Row(facts["path"], "ignored" in facts, "error" in facts, line)
