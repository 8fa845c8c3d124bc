"""A data section enters; its images divided, as one manifest or one for each fold, leave."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.data.cut import cut_units
from cnnkit.data.folds import deal_units, too_few_for_folds
from cnnkit.data.hashing import Progress, hash_files
from cnnkit.data.manifest import Manifest, Row, changed_notes, read_manifest, write_manifest
from cnnkit.data.records import SPLITS, ImageRecord, Source, count_of, first_few
from cnnkit.data.sources import find_images, ordered_classes
from cnnkit.data.split import Pool, assign_splits, too_few_error
from cnnkit.data.units import groups_of
from cnnkit.errors import DataError, UsageError

Note = Callable[[str], None]

_MAX_SHOWN = 20


@dataclass(frozen=True)
class Division:
    """A manifest as it was written.

    Args:
        file: where it is.
        counts: number of images by split and class, the classes in label order.
        kept: images that were in the manifest before.
        new: images that were not.
        gone: images that were in it and are no longer in the source.
    """

    file: Path
    counts: Mapping[str, Mapping[str, int]]
    kept: int
    new: int
    gone: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**vars(self), "file": str(self.file)}


def divide(
    data_config: Any, output: Path, *, note: Note, progress: Progress | None = None
) -> Division:
    """Write the manifest of a source. Where the file exists, its images keep their side.

    Args:
        data_config: the `data` section.
        output: the CSV file to write.
        note: called with one sentence on each thing the user should know.
        progress: called with (files read, files in all).

    Raises:
        UsageError: the output exists and is no manifest.
        DataError: the images cannot be read or divided; the text says what to do.
    """
    earlier = read_manifest(output)
    images = _read_images(data_config, note, progress)
    kept = images.sides_in(earlier)
    splits, notes = assign_splits(
        images.records,
        images.hashes,
        data_config.split,
        allow_missing_classes=data_config.allow_missing_classes,
        kept=kept,
    )
    for sentence in notes:
        note(sentence)
    return images.write(output, splits, earlier, note)


def divide_into_folds(
    data_config: Any,
    output: Path,
    num_folds: int,
    *,
    note: Note,
    progress: Progress | None = None,
) -> list[Division]:
    """Write one manifest for each fold, `name.fold1.csv` and so on, whose test images it is.

    Validation is cut from the other folds by its fraction. Where the files exist, all images keep
    their fold, and their side in each file.

    Args:
        data_config: the `data` section; the fraction of test is not read.
        output: `name.csv`.
        num_folds: at least 2.
        note: called with one sentence on each thing the user should know.
        progress: called with (files read, files in all).

    Raises:
        UsageError: the source brings its splits, or the files that exist are not these manifests.
        DataError: the images cannot be read or divided; the text says what to do.
    """
    files = [fold_file(output, number) for number in range(1, num_folds + 1)]
    earlier = [read_manifest(file) for file in files]
    _check_all_or_none(files, fold_file(output, num_folds + 1))
    images = _read_images(data_config, note, progress)
    if any(record.split for record in images.records):
        raise UsageError(
            f"{data_config.source} brings its own splits, and folds would mix them. Give a source "
            "without splits, or leave --folds out."
        )
    pool = Pool(images.records, images.hashes, images.groups)
    for sentence in pool.notes():
        note(sentence)
    folds = _deal(pool, images.folds_in(earlier), num_folds, data_config)
    divisions = []
    for fold, (file, manifest) in enumerate(zip(files, earlier, strict=True)):
        parts = _cut_validation(pool, folds, fold, images.sides_in(manifest), data_config)
        divisions.append(images.write(file, pool.spread(parts), manifest, note))
    return divisions


def fold_file(output: Path, number: int) -> Path:
    """Return `photos.fold2.csv` for `photos.csv` and 2."""
    return output.with_name(f"{output.stem}.fold{number}{output.suffix}")


def _check_all_or_none(files: Sequence[Path], one_more: Path) -> None:
    """Refuse to go on from files of another number of folds, or from some of them."""
    there = [file for file in [*files, one_more] if file.exists()]
    if there and there != list(files):
        raise UsageError(
            f"{first_few(map(str, there), 10)} {'is' if len(there) == 1 else 'are'} there, which "
            f"are not {len(files)} folds. Give the number of folds they were written with, remove "
            "them, or give another --output."
        )


def _deal(pool: Pool, kept: Sequence[str | None], num_folds: int, data_config: Any) -> list[int]:
    sides = pool.sides(kept)
    known = [None if side is None else int(side.removeprefix("fold ")) - 1 for side in sides]
    folds = deal_units(pool.units, num_folds, data_config.split.seed, known)
    needed = 2 if data_config.allow_missing_classes else num_folds
    too_few = too_few_for_folds(pool.units, folds, needed)
    if too_few:
        raise too_few_error(
            pool.units,
            too_few,
            f"{num_folds} folds",
            "give --folds a smaller number",
        )
    return folds


def _cut_validation(
    pool: Pool,
    folds: Sequence[int],
    fold: int,
    kept: Sequence[str | None],
    data_config: Any,
) -> list[str]:
    """Return the part of each unit where one fold is test."""
    sides = [
        "test" if dealt == fold else side
        for dealt, side in zip(folds, pool.sides(kept), strict=True)
    ]
    fraction = data_config.split.validation
    parts, too_few = cut_units(
        pool.units,
        {"validation": fraction} if fraction > 0 else {},
        data_config.split.seed,
        sides,
        allow_missing_classes=data_config.allow_missing_classes,
    )
    if too_few and not data_config.allow_missing_classes:
        raise too_few_error(
            pool.units,
            too_few,
            "train and validation beside a fold",
            "set data.split.validation: 0",
        )
    return parts


@dataclass(frozen=True)
class _Images:
    """The images of a source that can be read, sorted by path.

    Args:
        records: as the source lists them.
        hashes: sha256 of each one's content.
        groups: the group of each one, None where it stands alone.
        class_names: in label order.
    """

    records: list[ImageRecord]
    hashes: list[str]
    groups: list[str | None]
    class_names: tuple[str, ...]

    def _places(self) -> list[str]:
        return [os.path.abspath(str(record.file)) for record in self.records]

    def sides_in(self, manifest: Manifest) -> list[str | None]:
        """Return the side of each image in an earlier manifest, None for a new image."""
        return list(map(manifest.side, self._places(), self.hashes))

    def folds_in(self, manifests: Sequence[Manifest]) -> list[str | None]:
        """Return `fold 1` for the images that are test in the first manifest, None for new ones."""
        folds: list[str | None] = [None] * len(self.records)
        for number, manifest in enumerate(manifests, start=1):
            for index, side in enumerate(self.sides_in(manifest)):
                if side == "test":
                    folds[index] = f"fold {number}"
        return folds

    def write(self, file: Path, splits: Sequence[str], earlier: Manifest, note: Note) -> Division:
        """Write the manifest and say how it differs from the earlier one."""
        places, kept = self._places(), self.sides_in(earlier)
        gone = earlier.gone(places, self.hashes)
        if gone:
            noun = count_of(len(gone), "image is", "images are")
            note(f"{file}: {noun} no longer in the source ({first_few(gone)}).")
        moved = [
            record.path
            for record, before, now in zip(self.records, kept, splits, strict=True)
            if before not in (None, now)
        ]
        if moved:
            noun = count_of(len(moved), "image changes sides", "images change sides")
            note(f"{file}: {noun}, because the source says so ({first_few(moved)}).")
        labels = [record.label for record in self.records]
        rows = map(Row, places, labels, splits, self.hashes, self.groups)
        write_manifest(file, rows)
        num_kept = sum(side is not None for side in kept)
        return Division(
            file, self._counts(labels, splits), num_kept, len(kept) - num_kept, len(gone)
        )

    def _counts(self, labels: Sequence[str], splits: Sequence[str]) -> dict[str, dict[str, int]]:
        found = Counter(zip(splits, labels, strict=True))
        return {
            split: {name: found[split, name] for name in self.class_names}
            for split in SPLITS
            if split in splits
        }


def _read_images(data_config: Any, note: Note, progress: Progress | None) -> _Images:
    """List and hash the images of a data section.

    Raises:
        DataError: the source does not fit, or images cannot be read.
    """
    source = find_images(data_config)
    for sentence in source.notes:
        note(sentence)
    found, reasons = hash_files([record.file for record in source.records], progress)
    _report_unreadable(source, reasons, data_config.on_error, note)
    records = [r for r, sha256 in zip(source.records, found, strict=True) if sha256]
    hashes = [sha256 for sha256 in found if sha256]
    for sentence in changed_notes(records, hashes):
        note(sentence)
    class_names = ordered_classes(source, data_config.classes)
    lost = set(class_names) - {record.label for record in records}
    if lost:
        raise DataError(f"{source.name}: no image of {first_few(sorted(lost), 10)} can be read.")
    groups = groups_of(records, data_config.split.group)
    return _Images(records, hashes, groups, class_names)


def _report_unreadable(
    source: Source, reasons: Mapping[int, str], on_error: str, note: Note
) -> None:
    if not reasons:
        return
    lines = [f"{source.records[index].path}: {reason}" for index, reason in reasons.items()]
    if on_error == "skip":
        for line in lines:
            note(f"Skipped {line}.")
        return
    raise DataError(
        f"{source.name}: {count_of(len(lines), 'image')} cannot be read:\n  "
        + "\n  ".join(lines[:_MAX_SHOWN])
        + ("\n  ..." if len(lines) > _MAX_SHOWN else "")
        + "\nMake them readable, or set data.on_error: skip to leave them out."
    )
