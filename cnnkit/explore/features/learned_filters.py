"""Draw what the convolutional layers of a model have learned, as PNG files and one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.config import load_config
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.records import ImageRecord
from cnnkit.data.scored_images import run_images
from cnnkit.data.sources.ignored import Ignored
from cnnkit.errors import DataError
from cnnkit.explore.features.gradient_ascent import climbed_pictures
from cnnkit.explore.features.layer_filters import (
    LayerFilters,
    draw_kernels,
    draw_layer,
    layer_data,
    within_bound,
)
from cnnkit.explore.features.opened_model import FoundModel, Opened, find_model
from cnnkit.explore.features.output_folder import (
    FILTERS_PAGE,
    layer_files,
    png_name,
    wanted_folder,
)
from cnnkit.explore.features.page import render
from cnnkit.explore.features.patches import Patch, exciting_patches
from cnnkit.explore.features.windows_and_kernels import kernel_of
from cnnkit.files import write_text
from cnnkit.new_folders import make_numbered_folder
from cnnkit.prediction import find_images
from cnnkit.progress import Report
from cnnkit.tables import table_text

_MOST_IMAGES = 1000
_MOST_LAYERS = 12  # unless the user names them, because gradient ascent is slow
_PATCHES = 8


@dataclass(frozen=True, eq=False)
class Filters:
    """The files that `cnnkit filters` drew, and what they show.

    Args:
        folder: the folder of the files.
        model: the `.keras` file.
        num_images: number of images that were searched for patches.
        layers: what each layer has learned.
        files: the PNG file of each layer.
        kernels: PNG file with the first layer's filters; None if they were not drawn.
        page: the HTML file.
        notes: sentences about what the page leaves out.
    """

    folder: Path
    model: Path
    num_images: int
    layers: list[LayerFilters]
    files: list[Path]
    kernels: Path | None
    page: Path
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return {
            "folder": str(self.folder),
            "model": str(self.model),
            "images": self.num_images,
            "kernels": self.kernels and str(self.kernels),
            "layers": [
                layer.as_dict(file) for layer, file in zip(self.layers, self.files, strict=True)
            ],
            "page": str(self.page),
            "notes": self.notes,
        }

    def text(self) -> str:
        """Return a table of the layers, and the files."""
        rows = []
        for layer in self.layers:
            height, width, depth, count = layer.kernel.shape
            channels = ", ".join(map(str, layer.channels[:8]))
            rows.append((layer.name, f"{count} of {height} x {width} x {depth}", channels))
        columns = ("layer", "kernel", "channels with the strongest response")
        lines = [table_text(columns, rows, right=("kernel",))]
        if self.kernels:
            lines.append(f"first layer: {self.kernels}")
        return "\n".join([*lines, f"page: {self.page}"])


def draw_filters(
    model: str | None,
    runs_folder: Path,
    *,
    layers: Sequence[str] = (),
    images: Path | None = None,
    num_channels: int = 16,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
    report: Report,
) -> Filters:
    """Draw the filters of the first layer, and what the channels of each layer respond to.

    Args:
        model: a run, or a `.keras` file in a run; None means the newest finished run.
        runs_folder: where run names are looked up.
        layers: names of convolutional layers. By default all, or twelve if there are more.
        images: an image or a folder of images to search for patches. By default the run's
            validation images, or its training images if it has no validation images.
        num_channels: number of channels per layer.
        seed: seed of the gradient ascent.
        output: folder to write to. By default a new one: `filters` in the run, or `filters-2`,
            `filters-3`, ... if that exists.
        overwrite: whether earlier files may be replaced, also those in the default folder.
        report: shows the progress and notes.

    Raises:
        DataError: the images are gone, have changed or cannot be read, or the model gives NaN.
        UsageError: the model or a layer does not exist, or a file must not be replaced.
    """
    found = find_model(model, runs_folder, report.note)
    default = found.run.folder / "filters"
    inputs = [images] if images else []

    def checked(names: Sequence[str]) -> tuple[list[str], Path | None]:
        chosen, files = found.chosen(names, layers), _files(names)
        chosen = chosen if layers else _evenly(chosen, _MOST_LAYERS)
        written = [*(files[layer] for layer in chosen), _kernels_name(names), FILTERS_PAGE]
        return chosen, wanted_folder(output, default, written, overwrite=overwrite, inputs=inputs)

    # Before the model is loaded, so that a mistake shows at once.
    if (names := found.convolutions()) is not None:
        checked(names)
    records, whose = _records(found, images, report.note)
    opened = found.load()
    places = opened.convolutions()
    chosen, folder = checked(list(places))
    if not layers and len(chosen) < len(places):
        report.note(
            f"{len(chosen)} of {len(places)} layers are drawn, evenly spaced. "
            "Choose others with --layer."
        )
    searched = _evenly(records, _MOST_IMAGES)
    some = f" of {len(records):,}" if len(searched) < len(records) else ""
    report.note(f"patches from {len(searched):,}{some} {whose}")
    positions = [places[layer] for layer in chosen]
    settings = opened.info.pixels
    patches = exciting_patches(
        opened.steps, positions, searched, settings, num_patches=_PATCHES, report=report
    )
    learned = _learned(opened, patches, num_channels, seed, report)
    folder = folder or make_numbered_folder(default)
    return _draw(opened, learned, folder, num_images=len(searched))


def _files(names: Sequence[str]) -> dict[str, str]:
    """Return the file name of each convolutional layer's picture."""
    return layer_files(names, [_kernels_name(names), FILTERS_PAGE])


def _kernels_name(names: Sequence[str]) -> str:
    return png_name(f"{names[0]}-filters")


def _records(
    found: FoundModel, images: Path | None, note: Callable[[str], None]
) -> tuple[list[ImageRecord], str]:
    """Return the images to search, and what to call them in a note."""
    if images is None:
        rows = found.run.read_split()
        split = "validation" if any(row["split"] == "validation" for row in rows) else "train"
        data_config = load_config(found.run.config).data
        records = run_images(rows, split, data_config, option="--images FOLDER")
        return list(records), "training images" if split == "train" else "validation images"
    if not images.exists():
        raise DataError(f"--images {images}: no folder or file has this name.")
    ignored = Ignored()
    files = list(find_images([str(images)], ignored))
    for sentence in ignored.notes():
        note(sentence)
    if images.is_dir() and files == [str(images)]:
        raise DataError(f"--images {images} contains no image.")
    return [ImageRecord(path, LocalFile(path), "", None) for path in files], f"images in {images}"


def _evenly(given: Sequence[Any], most: int) -> list[Any]:
    if len(given) <= most:
        return list(given)
    # Not the first ones: images are sorted by class, and the first layers are all near the image.
    return [given[i] for i in np.linspace(0, len(given) - 1, most).round().astype(int)]


def _learned(
    opened: Opened,
    patches: dict[int, list[list[Patch]]],
    num_channels: int,
    seed: int,
    report: Report,
) -> dict[int, LayerFilters]:
    # The channels whose best patch has the largest number come first.
    shown = {
        # `f=found`, because ruff refuses functions that use the variable of a loop (B023).
        position: sorted(range(len(found)), key=lambda c, f=found: -f[c][0].value)[:num_channels]
        for position, found in patches.items()
    }
    total, before, learned = sum(map(len, shown.values())), 0, {}
    with report.counting("gradient ascent") as advance:
        for position, channels in shown.items():
            climbed = climbed_pictures(
                opened.steps,
                position,
                channels,
                seed=seed,
                advance=lambda done, before=before: advance(before + done, total),
            )
            before += len(channels)
            step = opened.steps[position]
            kernel = kernel_of(step).weights
            of_channels = [patches[position][channel] for channel in channels]
            learned[position] = LayerFilters(
                step.name, step.kind, kernel, channels, of_channels, climbed
            )
    return learned


def _draw(
    opened: Opened, found: dict[int, LayerFilters], folder: Path, *, num_images: int
) -> Filters:
    convolutions = opened.convolutions()
    first, names = next(iter(convolutions.values())), _files(list(convolutions))
    kernels = None
    if first in found and found[first].kernel.shape[2] in (1, 3):  # it sees the image itself
        kernels = folder / _kernels_name(list(convolutions))
        draw_kernels(found[first], kernels)
    layers = list(found.values())
    files = [folder / names[layer.name] for layer in layers]
    for layer, file in zip(layers, files, strict=True):
        draw_layer(layer, file)
    data = [layer_data(layer, coloured=position == first) for position, layer in found.items()]
    kept, notes = within_bound(data)
    title = f"What {opened.run.name} has learned"
    page = folder / FILTERS_PAGE
    write_text(page, render("filters", title, {"title": title, "notes": notes, "layers": kept}))
    return Filters(folder, opened.path, num_images, layers, files, kernels, page, notes)
