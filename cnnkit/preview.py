"""A config enters; what its model sees leaves: images after resizing, and after augmentation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnkit.augmentation import Augmentation, build_augmentation
from cnnkit.config import Config
from cnnkit.data.hashing import read_file
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.data.sources import find_images
from cnnkit.errors import DataError, ImageError, UsageError
from cnnkit.plots import plot_images

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
    the epoch and the content of the file. `mixup` and `cutmix` need a whole batch and are left out.

    Args:
        config: data, augmentation and training.seed are read.
        num_images: how many images.
        num_versions: of each image, those of as many epochs; not used with `steps`.
        steps: show the image of one epoch after each operation instead.
        epoch: the first one that is shown, counted from 1 as in history.csv.
        note: called with one sentence on each image that cannot be decoded.

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
        data, reason = read_file(record.file)
        try:
            if data is None:
                raise ImageError(reason)
            pictures = draw(read_pixels(data, settings), hashlib.sha256(data).hexdigest())
        except ImageError as error:
            note(f"{record.path} is not drawn: {error}.")
            continue
        rows.append(PreviewRow(record.path, record.label, pictures))
    if not rows:
        raise DataError(
            f"{config.data.source}: none of the {len(records):,} images can be decoded."
        )
    return rows


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


def draw_preview(rows: Sequence[PreviewRow], path: Path, *, overwrite: bool) -> None:
    """Draw the rows into a PNG file.

    Raises:
        UsageError: the file exists, and is not to be replaced.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists. Give another --output, or --overwrite.")
    plot_images([(f"{row.label}\n{row.path}", row.pictures) for row in rows], path)
