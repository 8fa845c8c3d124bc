"""Correct labels by a CSV file, `data.labels`; images are known by their content and stay put."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cnnkit.data.records import ImageRecord
from cnnkit.data.sources.manifest_text import ManifestText
from cnnkit.errors import DataError, did_you_mean
from cnnkit.text import count_of, first_few, shown

HASH, NEW_LABEL = "sha256", "new_label"  # the columns that are read; the others are for people
_SEPARATORS = ",;\t"  # what spreadsheets write
_SHA256 = re.compile("[0-9a-fA-F]{64}")
_MOST_SHOWN = 20


def read_corrections(file: str | None, class_names: Sequence[str]) -> dict[str, str]:
    """Return the new label of each content, by its sha256; none if there is no file.

    Rows without a new label are ignored, so a list of `cnnkit data labels` can be filled in partly.

    Args:
        file: `data.labels`: a CSV file with the columns sha256 and new_label.
        class_names: what a label may be.

    Raises:
        DataError: it cannot be read, or rows are wrong; all of them at once with their lines.
    """
    if file is None:
        return {}
    text = ManifestText(Path(file)).text
    header = text.splitlines()[0] if text.strip() else ""
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    if not {HASH, NEW_LABEL} <= set(reader.fieldnames or ()):
        raise DataError(
            f"{file} has no columns {HASH} and {NEW_LABEL}, so it corrects no labels. Write such a "
            "file with cnnkit data labels, and fill in new_label."
        )
    corrections: dict[str, str] = {}
    wrong = []
    for row in reader:
        digest, label = ((row[key] or "").strip() for key in (HASH, NEW_LABEL))
        if label and (fault := _fault_of(digest, label, class_names, corrections)):
            wrong.append(f"line {reader.line_num}: {fault}")
        elif label:
            corrections[digest.lower()] = label
    if wrong:
        more = f"\n  and {len(wrong) - _MOST_SHOWN:,} more" if len(wrong) > _MOST_SHOWN else ""
        lines = "\n  ".join(wrong[:_MOST_SHOWN])
        raise DataError(f"{file} has {count_of(len(wrong), 'wrong row')}:\n  {lines}{more}")
    return corrections


def _fault_of(
    digest: str, label: str, class_names: Sequence[str], earlier: dict[str, str]
) -> str | None:
    if not _SHA256.fullmatch(digest):
        return f"{shown(digest) or 'nothing'} is not a sha256, which has 64 hexadecimal digits"
    if label not in class_names:
        near = did_you_mean(label, class_names)
        return f"{shown(label)} is not a class.{near} The classes are {first_few(class_names, 20)}"
    if earlier.get(digest.lower(), label) != label:
        return f"the same image is {shown(earlier[digest.lower()])} in an earlier row"
    return None


def with_corrections(
    records: Sequence[ImageRecord],
    hashes: Sequence[str],
    corrections: dict[str, str],
    file: str | None,
    note: Callable[[str], None],
) -> list[ImageRecord]:
    """Return the records with their corrected labels, and say how many were corrected.

    Args:
        records: the images.
        hashes: sha256 of each image's content; copies are corrected alike.
        corrections: of `read_corrections`.
        file: `data.labels`, for the sentences.
        note: called with each sentence.
    """
    corrected = [
        replace(record, label=corrections.get(digest, record.label))
        for record, digest in zip(records, hashes, strict=True)
    ]
    changed = [
        f"{old.path}: {old.label} is {new.label}"
        for old, new in zip(records, corrected, strict=True)
        if old.label != new.label
    ]
    if changed:
        noun = count_of(len(changed), "label")
        note(f"{noun} corrected by {file} ({first_few(changed)}).")
    if absent := set(corrections) - set(hashes):
        noun = count_of(len(absent), "row")
        note(f"{noun} of {file} ignored: no image of the data has that content.")
    return corrected
