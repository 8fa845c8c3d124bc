"""Find the patches of real images with the strongest response of each channel.

Source: Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks",
arXiv:1311.2901, section 4: take the largest numbers over a set of images, one per image, and show
each as the part of the image that it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.errors import DataError, ImageError
from cnnkit.explore.features.image_regions import Regions, regions_of
from cnnkit.explore.features.model_graph import Step, check_finite, run_steps
from cnnkit.progress import Report

_BATCH = 16  # images; more would not be faster, but would need more memory for large maps


@dataclass(frozen=True, eq=False)
class Patch:
    """The part of an image that a number of a map sees.

    Args:
        path: path of the image.
        label: its class.
        value: the number, before the activation.
        place: (row, column) of the number in its map.
        box: (top, left, bottom, right) in the image, the last row and column included.
        pixels: (height, width, channels) uint8; empty if the number sees only padding.
    """

    path: str
    label: str
    value: float
    place: tuple[int, int]
    box: tuple[int, int, int, int]
    pixels: NDArray

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the pixels."""
        return {
            "path": self.path,
            "label": self.label,
            "value": self.value,
            "place": list(self.place),
            "box": list(self.box),
        }


@dataclass(frozen=True, eq=False)
class _Strongest:
    """The largest number of each image and channel and its place; (num_images, channels) each."""

    values: NDArray
    rows: NDArray
    columns: NDArray

    def at(self, image: int, channel: int) -> tuple[float, int, int]:
        """Return one number with its row and column."""
        place = (image, channel)
        return float(self.values[place]), int(self.rows[place]), int(self.columns[place])


def exciting_patches(
    steps: Sequence[Step],
    positions: Sequence[int],
    records: Sequence[ImageRecord],
    settings: PixelSettings,
    *,
    num_patches: int,
    report: Report,
) -> dict[int, list[list[Patch]]]:
    """Return the patches of each channel of each layer; the most exciting one is the first.

    Args:
        steps: the graph of the model.
        positions: positions of the convolutional layers in the graph.
        records: the images to search; each of them gives a channel at most one patch.
        settings: how their pixels are made.
        num_patches: number of patches per channel.
        report: shows the progress and notes about images that cannot be read.

    Raises:
        DataError: no image can be read, or the model gives NaN.
    """
    kept, pixels, strongest = _search(steps, positions, records, settings, report)
    if not kept:
        raise DataError(f"None of the {len(records):,} images can be read.")
    regions = regions_of(steps)
    found = {}
    for position, values in strongest.items():
        check_finite(values.values, steps[position].name)
        # Stable, so that of images with equal numbers the first ones are taken.
        order = np.argsort(-values.values, axis=0, kind="stable")[:num_patches].T
        found[position] = [
            [
                _cut(kept[image], pixels[image], values.at(image, channel), regions[position])
                for image in images
            ]
            for channel, images in enumerate(order)
        ]
    return found


def _search(
    steps: Sequence[Step],
    positions: Sequence[int],
    records: Sequence[ImageRecord],
    settings: PixelSettings,
    report: Report,
) -> tuple[list[ImageRecord], list[NDArray], dict[int, _Strongest]]:
    """Return the images that can be read, their pixels, and their largest numbers in each layer."""
    kept: list[ImageRecord] = []
    pixels: list[NDArray] = []
    found: dict[int, list[_Strongest]] = {position: [] for position in positions}
    with report.counting("images") as advance:
        for start in range(0, len(records), _BATCH):
            batch = _read(records[start : start + _BATCH], settings, report)
            kept += [record for record, _ in batch]
            pixels += [image for _, image in batch]
            if batch:
                images = np.stack([image for _, image in batch])
                for position, strongest in _strongest(steps, positions, images).items():
                    found[position].append(strongest)
            advance(min(start + _BATCH, len(records)), len(records))
    return kept, pixels, {position: _joined(parts) for position, parts in found.items() if parts}


def _cut(
    record: ImageRecord, pixels: NDArray, found: tuple[float, int, int], regions: Regions
) -> Patch:
    value, row, column = found
    top, left, bottom, right = box = regions.box(row, column)
    part = pixels[top : bottom + 1, left : right + 1]
    return Patch(record.path, record.label, value, (row, column), box, part)


def _read(
    records: Sequence[ImageRecord], settings: PixelSettings, report: Report
) -> list[tuple[ImageRecord, NDArray]]:
    found = []
    for record in records:
        try:
            found.append((record, read_pixels(record.file, settings)))
        except ImageError as error:
            report.note(f"{record.path} is ignored: {error}.")
    return found


def _strongest(
    steps: Sequence[Step], positions: Sequence[int], images: NDArray
) -> dict[int, _Strongest]:
    tensors = run_steps(steps, images, until=max(positions), also=positions)
    result = {}
    for position in positions:
        step = steps[position]
        if step.activation is None:
            maps = np.asarray(tensors[position])
        else:  # ReLU would hide how far below zero the numbers of a channel are
            entering = [tensors[i] for i in step.inputs]
            maps = np.asarray(step.apply(entering, without_activation=True))
        flat = maps.reshape(len(maps), -1, maps.shape[-1])
        places = flat.argmax(axis=1)
        values = np.take_along_axis(flat, places[:, None], axis=1)[:, 0]
        # Places count row by row, so this gives rows and columns.
        result[position] = _Strongest(values, *np.divmod(places, maps.shape[2]))
    return result


def _joined(parts: Sequence[_Strongest]) -> _Strongest:
    return _Strongest(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.columns for part in parts]),
    )
