"""Draw what a model sees: images after resizing, and their augmented versions."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.augmentation import Augmentation, build_augmentation
from cnnkit.augmentation.mixing import Mixing
from cnnkit.config import Config, DataConfig, load_config
from cnnkit.data.corrected_labels import read_corrections, with_corrections
from cnnkit.data.file_bytes import read_file
from cnnkit.data.file_contents import hash_files
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.data.sources.builtin_names import namesake_note
from cnnkit.data.sources.listing import find_images, ordered_classes
from cnnkit.errors import DataError, ImageError
from cnnkit.plots.image_grid import plot_images
from cnnkit.text import count_of, shown

Note = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class PreviewRow:
    """One image and its versions.

    Args:
        path: path of the image as its source lists it.
        label: name of its class.
        pictures: (title, uint8 pixels); the first is the image as the model sees it unchanged.
    """

    path: str
    label: str
    pictures: tuple[tuple[str, np.ndarray], ...]


@dataclass(frozen=True, eq=False)
class Preview:
    """The picture that `cnnkit data preview` drew.

    Args:
        file: the PNG file.
        rows: one per image.
    """

    file: Path
    rows: list[PreviewRow]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        images = [
            {"path": row.path, "label": row.label, "pictures": [title for title, _ in row.pictures]}
            for row in self.rows
        ]
        return {"file": str(self.file), "images": images}

    def text(self) -> str:
        """Return the file and the number of images in one line."""
        return f"{shown(str(self.file))}: {count_of(len(self.rows), 'image')}"


def draw_preview(
    path: Path,
    overrides: Sequence[str],
    output: Path,
    *,
    num_images: int,
    num_versions: int,
    steps: bool,
    epoch: int,
    note: Note,
) -> Preview:
    """Draw images of a config and their augmented versions into a PNG file.

    Args:
        path: path of the config.
        overrides: `--set` options.
        output: the PNG file; an existing one is replaced.
        num_images: as for `preview_rows`.
        num_versions: as for `preview_rows`.
        steps: as for `preview_rows`.
        epoch: as for `preview_rows`.
        note: as for `preview_rows`.

    Raises:
        DataError: the source cannot be read, or no image can be decoded.
        UsageError: the config is wrong.
    """
    config = load_config(path, overrides)
    if sentence := namesake_note(config.data.source, path.parent):
        note(sentence)
    rows = preview_rows(
        config,
        num_images=num_images,
        num_versions=num_versions,
        steps=steps,
        epoch=epoch,
        note=note,
    )
    plot_images([_drawn(row) for row in rows], output)
    if not config.augmentation:
        note("The config has no augmentation, so only the images themselves are drawn.")
    return Preview(output, rows)


def preview_rows(
    config: Config, *, num_images: int, num_versions: int, steps: bool, epoch: int, note: Note
) -> list[PreviewRow]:
    """Return images of every class in turn, each with the versions that training shows.

    The pictures are those of training, bit for bit: their random numbers depend on training.seed,
    the epoch and the content of the file. With `mixup` or `cutmix`, the last picture of a row is
    its first version mixed with one of another row, with the method of training. In training the
    partners are different, because whole batches are mixed.

    Args:
        config: its data, augmentation and training.seed are used.
        num_images: number of images.
        num_versions: number of versions of each image, one per epoch; not used with `steps`.
        steps: whether to show the image of one epoch after each operation instead.
        epoch: the first epoch that is shown, counted from 1 as in history.csv.
        note: called with sentences about ignored files, images that cannot be decoded, and mixing.

    Raises:
        DataError: the source cannot be read, or no image can be decoded.
        UsageError: an augmentation does not fit the images.
    """
    settings = PixelSettings.of(config.data)
    augmentation = build_augmentation(config.augmentation, settings)
    # Epochs count from 1 for people, as in history.csv, and from 0 inside.
    draw = _Draw(augmentation, config.training.seed, epoch - 1, 1 if steps else num_versions, steps)
    rows = []
    records = _records(config.data, note)
    for record in _in_turns(records, config.training.seed):
        if len(rows) == num_images:
            break
        try:
            data = read_file(record.file)
            pictures = draw(read_pixels(data, settings), hashlib.sha256(data).hexdigest())
        except ImageError as error:
            note(f"{shown(record.path)} is not drawn: {error}.")
            continue
        rows.append(PreviewRow(record.path, record.label, pictures))
    if not rows:
        raise DataError(
            f"{config.data.source}: none of the {len(records):,} images can be decoded."
        )
    if augmentation is None or augmentation.mixing is None:
        return rows
    note(
        "The last picture of each row is mixed with one of another row. Training mixes whole "
        "batches, so the partners are different there."
    )
    # With steps the last picture has all operations; otherwise the first version has.
    first_version = -1 if steps else min(1, len(rows[0].pictures) - 1)
    return _with_mixed(rows, augmentation.mixing, first_version, config.training.seed, epoch - 1)


def _records(data_config: DataConfig, note: Note) -> Sequence[ImageRecord]:
    """Return the images with their corrected labels."""
    source = find_images(data_config)
    for sentence in source.notes:
        note(sentence)
    class_names = ordered_classes(source, data_config.classes)
    corrections = read_corrections(data_config.labels, class_names)
    if not corrections:  # otherwise all files are read for their hashes
        return source.records
    hashes, _ = hash_files([record.file for record in source.records])
    known = [digest or "" for digest in hashes]
    return with_corrections(source.records, known, corrections, data_config.labels, note)


def _with_mixed(
    rows: Sequence[PreviewRow], mixing: Mixing, column: int, seed: int, epoch: int
) -> list[PreviewRow]:
    """Append to each row its picture of one column, mixed as if the rows were one batch."""
    images = np.stack([row.pictures[column][1] for row in rows])
    labels = sorted({row.label for row in rows})
    targets = np.eye(len(labels), dtype=np.float32)[[labels.index(row.label) for row in rows]]
    mixed, shares = mixing(images, targets, seed=seed, epoch=epoch, step=0)
    titles = [
        " + ".join(f"{labels[i]} {share:.2f}" for i, share in enumerate(of_row) if round(share, 2))
        for of_row in shares
    ]
    return [
        replace(row, pictures=(*row.pictures, (f"mixed: {title}", picture)))
        for row, title, picture in zip(rows, titles, mixed, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Draw:
    """Make the pictures of one image."""

    augmentation: Augmentation | None
    seed: int
    first_epoch: int
    num_epochs: int
    steps: bool

    def __call__(self, image: np.ndarray, sha256: str) -> tuple[tuple[str, np.ndarray], ...]:
        names = self.augmentation.names if self.augmentation else ()
        pictures = [("as the model sees it", image)]
        for epoch in range(self.first_epoch, self.first_epoch + self.num_epochs if names else 0):
            stops = range(1, len(names) + 1) if self.steps else [len(names)]
            for stop in stops:
                name = names[stop - 1] if self.steps else f"epoch {epoch + 1}"
                # A copy, because an operation may write into the image that it is given.
                changed = self.augmentation.change_one(
                    image.copy(), seed=self.seed, epoch=epoch, sha256=sha256, stop=stop
                )
                pictures.append((name, changed))
        return tuple(pictures)


def _in_turns(records: Sequence[ImageRecord], seed: int) -> Iterator[ImageRecord]:
    """Yield the training images in a random order, taking one of each class in turn."""
    by_class: dict[str, list[ImageRecord]] = {}
    for record in records:
        if record.split in (None, "train"):
            by_class.setdefault(record.label, []).append(record)
    random = np.random.default_rng(seed)
    shuffled = [[found[i] for i in random.permutation(len(found))] for found in by_class.values()]
    for turn in range(max(map(len, shuffled), default=0)):
        yield from (found[turn] for found in shuffled if turn < len(found))


def _drawn(row: PreviewRow) -> tuple[list[tuple[str, ...]], list[np.ndarray]]:
    """Return the lines above each picture, and the pictures."""
    first = (row.label, row.path, row.pictures[0][0])
    return [first, *_titles(row.pictures)], [pixels for _, pixels in row.pictures]


def _titles(pictures: Sequence[tuple[str, np.ndarray]]) -> Iterator[tuple[str, ...]]:
    """Yield the lines above all pictures but the first; they say when nothing was changed."""
    (_, first), *_ = pictures
    for (_, before), (title, pixels) in itertools.pairwise(pictures):
        if np.array_equal(pixels, first):
            yield title, "the same as the first"
        elif np.array_equal(pixels, before):
            yield title, "the same as the one before"
        else:
            kind, _, shares = title.partition(": ")
            yield kind, *shares.split(" + ")
