"""List and hash the images of a source, and write their splits to a manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnkit.config import DataConfig
from cnnkit.data.corrected_labels import read_corrections, with_corrections
from cnnkit.data.file_contents import Progress, hash_files
from cnnkit.data.records import SPLITS, ImageRecord
from cnnkit.data.sources.listing import find_images, ordered_classes
from cnnkit.data.split.manifest import Manifest, Row, changed_notes, write_manifest
from cnnkit.data.split.units import groups_of
from cnnkit.data.unreadable import report_unreadable
from cnnkit.errors import DataError, UsageError
from cnnkit.text import count_of, first_few

Note = Callable[[str], None]


@dataclass(frozen=True)
class Division:
    """What was written to a manifest.

    Args:
        file: the manifest.
        counts: number of images per split and class, the classes in label order.
        kept: number of images that were in the manifest before.
        new: number of images that were not.
        gone: number of images that were in it and are no longer in the source.
        relabelled: number of images that were in it with another class.
    """

    file: Path
    counts: Mapping[str, Mapping[str, int]]
    kept: int
    new: int
    gone: int
    relabelled: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**vars(self), "file": str(self.file)}


@dataclass(frozen=True)
class HashedImages:
    """The images of a source that can be read, sorted by path.

    Args:
        records: one per image, with its label in the source; the splits depend on it.
        hashes: sha256 of each image's content.
        groups: the group of each image, None if it belongs to no group.
        class_names: in label order.
        labels: of each image, corrected by `data.labels`.
        weight_column: what the weights of the records are called; None if they have none.
    """

    records: list[ImageRecord]
    hashes: list[str]
    groups: list[str | None]
    class_names: tuple[str, ...]
    labels: list[str]
    weight_column: str | None = None

    def _places(self) -> list[str]:
        # Absolute, because paths in a manifest start from its folder, and those of a source do not.
        return [os.path.abspath(str(record.file)) for record in self.records]

    def splits_in(self, manifest: Manifest) -> list[str | None]:
        """Return the split of each image in an earlier manifest, None for a new image."""
        return list(map(manifest.split_of, self._places(), self.hashes))

    def folds_in(self, manifests: Sequence[Manifest]) -> list[str | None]:
        """Return `fold 1` for images that are test in the first manifest; None for new images."""
        # Texts, not numbers: `Pool.kept_splits` treats folds like splits.
        folds: list[str | None] = [None] * len(self.records)
        for number, manifest in enumerate(manifests, start=1):
            for index, split in enumerate(self.splits_in(manifest)):
                # Each image is in the test split of one fold only.
                if split == "test":
                    folds[index] = f"fold {number}"
        return folds

    def write(self, file: Path, splits: Sequence[str], earlier: Manifest, note: Note) -> Division:
        """Write the manifest, and note how it differs from the earlier one."""
        places, kept = self._places(), self.splits_in(earlier)
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
            noun = count_of(len(moved), "image moves", "images move")
            note(
                f"{file}: {noun} to another split, because the source says so ({first_few(moved)})."
            )
        relabelled = [
            record.path
            for record, place, sha256, label in zip(
                self.records, places, self.hashes, self.labels, strict=True
            )
            if earlier.is_relabelled(place, sha256, label)
        ]
        if relabelled:
            noun = count_of(len(relabelled), "image has", "images have")
            note(f"{file}: {noun} another class than before ({first_few(relabelled)}).")
        weights = [record.weight for record in self.records]
        rows = map(Row, places, self.labels, splits, self.hashes, self.groups, weights)
        write_manifest(file, rows, self.weight_column)
        num_kept = sum(split is not None for split in kept)
        num_new = len(kept) - num_kept
        counts = self._counts(splits)
        return Division(file, counts, num_kept, num_new, len(gone), len(relabelled))

    def _counts(self, splits: Sequence[str]) -> dict[str, dict[str, int]]:
        found = Counter(zip(splits, self.labels, strict=True))
        return {
            split: {name: found[split, name] for name in self.class_names}
            for split in SPLITS
            if split in splits
        }


def read_images(
    data_config: DataConfig, earlier: Sequence[Manifest], note: Note, progress: Progress | None
) -> HashedImages:
    """List and hash the images of a data section.

    Raises:
        DataError: the source is wrong, or images cannot be read.
        UsageError: an earlier manifest has none of these images, or the earlier manifests have
            groups, and the groups of new images are not known.
    """
    source = find_images(data_config)
    for sentence in source.notes:
        note(sentence)
    class_names = ordered_classes(source, data_config.classes)
    # Before the images are read: a mistake in that file should show at once.
    corrections = read_corrections(data_config.labels, class_names)
    found, reasons = hash_files([record.file for record in source.records], progress)
    report_unreadable(
        [(source.records[index].path, reason) for index, reason in reasons.items()],
        len(source.records),
        source.name,
        skip=data_config.on_error == "skip",
        note=note,
    )
    records = [r for r, sha256 in zip(source.records, found, strict=True) if sha256]
    hashes = [sha256 for sha256 in found if sha256]
    for sentence in changed_notes(records, hashes):
        note(sentence)
    lost = set(class_names) - {record.label for record in records}
    if lost:
        raise DataError(f"{source.name}: no image of {first_few(sorted(lost), 10)} can be read.")
    # Before anything is written: another data set's manifest cannot be restored.
    _check_same_data(records, hashes, earlier)
    stated = groups_of(records, data_config.split.group)
    groups = _kept_groups(records, hashes, stated, earlier)
    records = [replace(r, group=group) for r, group in zip(records, groups, strict=True)]
    # The records keep their labels, so that the splits are those that training makes.
    corrected = with_corrections(records, hashes, corrections, data_config.labels, note)
    labels = [record.label for record in corrected]
    column = data_config.weight_column
    return HashedImages(records, hashes, groups, class_names, labels, column)


def _check_same_data(
    records: Sequence[ImageRecord], hashes: Sequence[str], earlier: Sequence[Manifest]
) -> None:
    """Refuse to update a manifest that has none of the images: it is that of another data set."""
    places = [os.path.abspath(str(record.file)) for record in records]
    for manifest in earlier:
        if manifest.num_images and not any(map(manifest.row, places, hashes)):
            noun = count_of(manifest.num_images, "image", "images")
            raise UsageError(
                f"{manifest.file} has {noun}, but none of this source: it is the manifest of "
                "another data set. Choose another --output."
            )


def _kept_groups(
    records: Sequence[ImageRecord],
    hashes: Sequence[str],
    groups: Sequence[str | None],
    earlier: Sequence[Manifest],
) -> list[str | None]:
    """Return the group of each image: as stated now, else as in the earlier manifests."""
    # Groups that the source states now count more than those of an earlier manifest.
    if not any(manifest.has_groups for manifest in earlier) or any(r.group for r in records):
        return list(groups)
    rows = [
        next(filter(None, (m.row(os.path.abspath(str(r.file)), sha256) for m in earlier)), None)
        for r, sha256 in zip(records, hashes, strict=True)
    ]
    new = [record.path for record, row in zip(records, rows, strict=True) if row is None]
    if new and not any(groups):
        raise UsageError(
            f"The manifest has groups, but the groups of {count_of(len(new), 'new image')} "
            f"({first_few(new)}) are not known. Repeat the rule that it was written with: "
            "--set 'data.split.group=PATTERN'."
        )
    return [
        group or (row.group or None if row else None)
        for group, row in zip(groups, rows, strict=True)
    ]
