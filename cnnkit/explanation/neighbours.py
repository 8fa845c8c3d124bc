"""Find the training images that look most like an image to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnkit.calibration.image_features import image_features
from cnnkit.config import load_config
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.file_contents import hash_files
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.data.scored_images import run_images
from cnnkit.errors import damage_as_value_error
from cnnkit.explore.features.opened_model import Opened
from cnnkit.files import atomic_write
from cnnkit.model.calibrated_layers import feature_model, unit_rows
from cnnkit.progress import Report
from cnnkit.text import shown


@dataclass(frozen=True)
class Neighbour:
    """A training image that is similar to another image.

    Args:
        record: the training image.
        distance: 1 minus the cosine between the features of the two images, in [0, 2].
    """

    record: ImageRecord
    distance: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        distance = round(self.distance, 6)
        return {"path": self.record.path, "label": self.record.label, "distance": distance}

    def __str__(self) -> str:
        return f"{shown(self.record.path)} ({self.record.label}, {self.distance:.3f})"


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """The training images of a run in feature space: the input of its output layer.

    Args:
        records: the images.
        features: (num_images, num_features), rows of length 1.
        extractor: the `keras.Model` from pixels to features.
    """

    records: Sequence[ImageRecord]
    features: NDArray
    extractor: Any

    def nearest(self, pixels: NDArray, number: int) -> list[Neighbour]:
        """Return the most similar training images, the nearest first.

        Args:
            pixels: uint8 (height, width, channels).
            number: at most this many.
        """
        features = unit_rows(np.asarray(self.extractor(pixels[None], training=False)))[0]
        distances = 1 - self.features @ features
        order = np.argsort(distances, kind="stable")[:number]
        return [Neighbour(self.records[each], float(distances[each])) for each in order]


def training_images(opened: Opened, report: Report) -> TrainingImages:
    """Return the training images of a run; their features are kept in the run for the next time.

    Args:
        opened: the model of a run, which has a split.csv.
        report: shows how many images are read.

    Raises:
        UsageError: split.csv cannot be read.
        DataError: training images are missing or have changed.
    """
    run = opened.run
    records = run_images(run.read_split(), "train", load_config(run.config).data)
    extractor = feature_model(opened.model)
    kept = run.folder / "explanation" / "training_features.npz"
    keys, _ = hash_files([LocalFile(str(path)) for path in (opened.path, run.split)])
    features = _kept_features(kept, keys)
    if features is None:
        found = image_features(records, extractor=extractor, info=opened.info, report=report)
        features = unit_rows(found).astype(np.float32)
        with atomic_write(kept, "wb") as file:
            np.savez(file, features=features, keys=np.array(keys))
    return TrainingImages(records, features, extractor)


def _kept_features(path: Path, keys: Sequence[str | None]) -> NDArray | None:
    """Return features that were computed with the same weights and split, or None."""
    try:
        with damage_as_value_error(), np.load(path) as arrays:
            return arrays["features"] if arrays["keys"].tolist() == list(keys) else None
    except (OSError, ValueError, KeyError):  # they are only a copy, and computed again
        return None


def draw_neighbours(
    path: str, pixels: NDArray, prediction: str, neighbours: Sequence[Neighbour], folder: Path
) -> None:
    """Draw an image and the training images that are most like it, as `neighbours.png`."""
    from cnnkit.plots.figures import class_label
    from cnnkit.plots.image_sheet import SIDE, CaptionedImage, write_image_sheet

    settings = PixelSettings((SIDE, SIDE), resize="pad", background=230)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    scale = SIDE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    own = np.asarray(picture.resize(size, Image.Resampling.NEAREST))
    alike = [
        CaptionedImage(
            read_pixels(each.record.file, settings),
            (class_label(each.record.label, 16), f"distance {each.distance:.3f}", each.record.path),
            each.record.label != prediction,
        )
        for each in neighbours
    ]
    caption = CaptionedImage(own, (class_label(prediction, 16), Path(path).name))
    sections = [("What the model sees", [caption]), ("The most similar training images", alike)]
    write_image_sheet(sections, folder / "neighbours.png")
