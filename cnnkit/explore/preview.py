"""A config enters; what its model sees leaves: images after resizing, and after augmentation."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnnkit.augmentation import Augmentation, build_augmentation
from cnnkit.augmentation.mixing import Mixing
from cnnkit.config import Config
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.reading import read_file
from cnnkit.data.records import ImageRecord
from cnnkit.data.sources.listing import find_images
from cnnkit.errors import DataError, ImageError
from cnnkit.plots import plot_images
from cnnkit.text import shown

Note = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class PreviewRow:
    """One image and what becomes of it.

    Args:
        path: as its source lists it.
        label: name of its class.
        pictures: (what it is, uint8 pixels), first the image as the model sees it unchanged.
    """

    path: str
    label: str
    pictures: tuple[tuple[str, np.ndarray], ...]


def preview_rows(
    config: Config, *, num_images: int, num_versions: int, steps: bool, epoch: int, note: Note
) -> list[PreviewRow]:
    """Return images of every class in turn, with what training shows of them.

    The pictures are those of training, bit for bit: their random numbers depend on training.seed,
    the epoch and the content of the file. With `mixup` or `cutmix`, a last picture is the first
    version mixed with one of the other rows, by the mixing of training; there the partners are
    others, as batches are.

    Args:
        config: data, augmentation and training.seed are read.
        num_images: how many images.
        num_versions: of each image, those of as many epochs; not used with `steps`.
        steps: show the image of one epoch after each operation instead.
        epoch: the first one that is shown, counted from 1 as in history.csv.
        note: called with one sentence on each image that cannot be decoded, and on mixing.

    Raises:
        DataError: the source cannot be read, or no image decodes.
        UsageError: an augmentation that does not fit.
    """
    settings = PixelSettings.of(config.data)
    augmentation = build_augmentation(config.augmentation, settings)
    draw = _Draw(augmentation, config.training.seed, epoch - 1, 1 if steps else num_versions, steps)
    rows = []
    records = find_images(config.data).records
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
        "batches, so there the partners are others."
    )
    first_version = -1 if steps else min(1, len(rows[0].pictures) - 1)
    return _with_mixed(rows, augmentation.mixing, first_version, config.training.seed, epoch - 1)


def _with_mixed(
    rows: Sequence[PreviewRow], mixing: Mixing, column: int, seed: int, epoch: int
) -> list[PreviewRow]:
    """Append to each row its picture of a column as it is when the rows are one batch."""
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
    """Makes the pictures of one image."""

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
                changed = self.augmentation.change_one(
                    image.copy(), seed=self.seed, epoch=epoch, sha256=sha256, stop=stop
                )
                pictures.append((name, changed))
        return tuple(pictures)


def _in_turns(records: Sequence[ImageRecord], seed: int) -> Iterator[ImageRecord]:
    """Yield the images to train on in a drawn order, the classes in turns."""
    by_class: dict[str, list[ImageRecord]] = {}
    for record in records:
        if record.split in (None, "train"):
            by_class.setdefault(record.label, []).append(record)
    random = np.random.default_rng(seed)
    shuffled = [[found[i] for i in random.permutation(len(found))] for found in by_class.values()]
    for turn in range(max(map(len, shuffled), default=0)):
        yield from (found[turn] for found in shuffled if turn < len(found))


def draw_preview(rows: Sequence[PreviewRow], path: Path) -> None:
    """Draw the rows into a PNG file."""
    drawn = []
    for row in rows:
        first = (row.label, row.path, row.pictures[0][0])
        drawn.append(([first, *_titles(row.pictures)], [pixels for _, pixels in row.pictures]))
    plot_images(drawn, path)


def _titles(pictures: Sequence[tuple[str, np.ndarray]]) -> Iterator[tuple[str, ...]]:
    """Yield the lines over each picture but the first; a change may change nothing."""
    (_, first), *_ = pictures
    for (_, before), (title, pixels) in itertools.pairwise(pictures):
        if np.array_equal(pixels, first):
            yield title, "the same as the first"
        elif np.array_equal(pixels, before):
            yield title, "the same as the one before"
        else:
            kind, _, shares = title.partition(": ")
            yield kind, *shares.split(" + ")
