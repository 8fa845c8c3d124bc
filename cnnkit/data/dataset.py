"""Find, check, decode and split the images of a config into one `ImageDataset`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cnnkit.config import DataConfig
from cnnkit.data.cache.pixels import PixelStore, open_pixels
from cnnkit.data.corrected_labels import read_corrections, with_corrections
from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.file_contents import Progress
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.records import SPLITS, ImageRecord, Source, fingerprint_of
from cnnkit.data.sources.listing import find_images, ordered_classes
from cnnkit.data.split.assignment import assign_splits
from cnnkit.data.split.manifest import changed_notes
from cnnkit.data.unreadable import report_unreadable
from cnnkit.errors import DataError
from cnnkit.text import first_few

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One usable image.

    Args:
        path: as in `split.csv`.
        file: gives its bytes.
        label: index into the class names.
        split: `train`, `validation` or `test`.
        sha256: of its content.
        weight: how much it counts in training; None without `data.weight_column`.
    """

    path: str
    file: ImageFile
    label: int
    split: str
    sha256: str
    weight: float | None = None


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """The images of a source, after all of them were read.

    Args:
        records: the images that can be decoded.
        hashes: sha256 of each of these.
        skipped: (path, reason) of the images that cannot be decoded.
        store: gives the pixels.
    """

    records: list[ImageRecord]
    hashes: list[str]
    skipped: list[tuple[str, str]]
    store: PixelStore


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Images that can all be decoded, with their labels and splits.

    Args:
        class_names: in label order.
        samples: all usable images, sorted by path.
        skipped: (path, reason) of images that cannot be decoded and are not used.
        settings: how files become pixels.
        store: gives the pixels.
        notes: what was ignored, converted or assumed while the images were read, in sentences.
    """

    class_names: tuple[str, ...]
    samples: tuple[Sample, ...]
    skipped: tuple[tuple[str, str], ...]
    settings: PixelSettings
    store: PixelStore
    notes: tuple[str, ...] = ()

    dtype = np.uint8  # of pixels

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.settings.shape

    @cached_property
    def labels(self) -> np.ndarray:
        """Label of every sample, int64 (num_samples,)."""
        return np.array([sample.label for sample in self.samples], np.int64)

    @cached_property
    def weights(self) -> np.ndarray | None:
        """Weight of every sample in training, float64 (num_samples,); None if they have none."""
        weights = [sample.weight for sample in self.samples]
        return None if None in weights else np.array(weights, np.float64)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over (class name, content) of all samples; paths and splits do not matter."""
        return fingerprint_of((self.class_names[s.label], s.sha256) for s in self.samples)

    @cached_property
    def _rows(self) -> np.ndarray:
        # Looked up once, because the rows of a store are in an order of their own.
        return self.store.rows([sample.sha256 for sample in self.samples])

    def select(self, split: str) -> np.ndarray:
        """Return the indices of the samples in a split, int64, in order of path."""
        chosen = [i for i, sample in enumerate(self.samples) if sample.split == split]
        return np.array(chosen, np.int64)

    def pixels(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return uint8 (len(indices), height, width, channels)."""
        return self.store.read(self._rows[np.asarray(indices, np.int64)])

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of images per split and class; 0 for classes without images."""
        found = Counter((sample.split, sample.label) for sample in self.samples)
        present = {sample.split for sample in self.samples}
        return {
            split: {name: found[split, label] for label, name in enumerate(self.class_names)}
            for split in SPLITS
            if split in present
        }


def load_dataset(
    data_config: DataConfig,
    *,
    progress: Progress | None = None,
    note: Note | None = None,
    check: Callable[[int, int], None] | None = None,
) -> ImageDataset:
    """Find, read, decode and split the images of a config.

    Args:
        data_config: the `data` section.
        progress: called with (files read, files in all).
        note: called with one sentence for each thing that the user should know.
        check: called with (number of classes, number of images) before an image is read, so that
            it can refuse what cannot be trained.

    Raises:
        DataError: the images cannot be used as they are; the text says what to do.
    """
    notes: list[str] = []

    def kept_note(sentence: str) -> None:
        notes.append(sentence)
        if note is not None:
            note(sentence)

    source = find_images(data_config)
    for sentence in source.notes:
        kept_note(sentence)
    # Of all images, decodable or not: the labels must not depend on a damaged file.
    class_names = ordered_classes(source, data_config.classes)
    # Before the images are read: a mistake in that file should show at once.
    corrections = read_corrections(data_config.labels, class_names)
    if check is not None:
        check(len(class_names), len(source.records))
    decoded = decode_images(source, data_config, progress, kept_note)
    report_unreadable(
        decoded.skipped,
        len(source.records),
        source.name,
        skip=data_config.on_error == "skip",
        note=kept_note,
    )
    _check_none_lost(source, decoded, data_config.allow_missing_classes)
    splits, of_splits = assign_splits(
        decoded.records,
        decoded.hashes,
        data_config.split,
        allow_missing_classes=data_config.allow_missing_classes,
    )
    for sentence in changed_notes(decoded.records, decoded.hashes) + of_splits:
        kept_note(sentence)
    # After the split, so that a corrected label moves no image to another split.
    records = with_corrections(
        decoded.records, decoded.hashes, corrections, data_config.labels, kept_note
    )
    decoded = replace(decoded, records=records)
    return replace(_dataset(decoded, class_names, splits), notes=tuple(notes))


def decode_images(
    source: Source, data_config: DataConfig, progress: Progress | None, note: Note
) -> DecodedImages:
    """Read all images of a source.

    Args:
        source: lists the files.
        data_config: image size, colour mode, resize policy and cache are used.
        progress: called with (files read, files in all).
        note: called with one sentence on each thing the user should know.

    Raises:
        DataError: there is no room for the pixels where `data.cache` wants them.
    """
    store, hashes, reasons = open_pixels(
        [record.file for record in source.records],
        PixelSettings.of(data_config),
        cache=data_config.cache,
        limit_gb=data_config.cache_limit_gb,
        progress=progress,
        note=note,
    )
    decoded = DecodedImages([], [], [], store)
    for position, (record, digest) in enumerate(zip(source.records, hashes, strict=True)):
        if digest is not None and position not in reasons:
            decoded.records.append(record)
            decoded.hashes.append(digest)
        else:
            decoded.skipped.append((record.path, reasons[position]))
    return decoded


def _dataset(
    decoded: DecodedImages, class_names: tuple[str, ...], splits: Sequence[str]
) -> ImageDataset:
    label_of = {name: label for label, name in enumerate(class_names)}
    samples = tuple(
        Sample(record.path, record.file, label_of[record.label], split, digest, record.weight)
        for record, digest, split in zip(decoded.records, decoded.hashes, splits, strict=True)
    )
    store = decoded.store
    return ImageDataset(class_names, samples, tuple(decoded.skipped), store.settings, store)


def _check_none_lost(source: Source, decoded: DecodedImages, allow_missing: bool) -> None:
    """Refuse a class if none of its images in a split can be decoded."""
    left = {(record.split, record.label) for record in decoded.records}
    lost = sorted(
        {(record.split or "", record.label) for record in source.records}
        - {(split or "", label) for split, label in left}
    )
    # The setting is about validation and test: what train lacks cannot be learned.
    lost = [(split, label) for split, label in lost if split in ("", "train") or not allow_missing]
    if lost:
        names = first_few((f"{label} ({split})" if split else label for split, label in lost), 10)
        raise DataError(
            f"{source.name}: no image of {names} can be decoded, so the class would be empty. "
            "Repair its images, or remove the class."
        )
