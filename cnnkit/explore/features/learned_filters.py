"""Draw what the convolutional layers of a model have learned, as PNG files and one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.config import load_config
from cnnkit.data.image_file import LocalFile
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
from cnnkit.explore.features.opened_model import Opened, open_model
from cnnkit.explore.features.output_folder import (
    FILTERS_PAGE,
    layer_files,
    png_name,
    wanted_folder,
)
from cnnkit.explore.features.page import printable, render
from cnnkit.explore.features.patches import Patch, exciting_patches
from cnnkit.explore.features.windows_and_kernels import kernel_of
from cnnkit.files import make_numbered_folder, write_text
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
    opened = open_model(model, runs_folder, report.note)
    if model is None:
        report.note(f"run: {opened.run.folder}")
    chosen = opened.convolutions(layers)
    if not layers and len(chosen) > _MOST_LAYERS:
        report.note(
            f"{_MOST_LAYERS} of {len(chosen)} layers are drawn, evenly spaced. "
            "Choose others with --layer."
        )
        chosen = _evenly(chosen, _MOST_LAYERS)
    files, default = _files(opened), opened.run.folder / "filters"
    written = [
        *(files[layer] for layer in opened.names(chosen)),
        _kernels_name(opened),
        FILTERS_PAGE,
    ]
    inputs = [images] if images else []
    folder = wanted_folder(output, default, written, overwrite=overwrite, inputs=inputs)
    records, whose = _records(opened, images, report.note)
    searched = _evenly(records, _MOST_IMAGES)
    some = f" of {len(records):,}" if len(searched) < len(records) else ""
    report.note(f"patches from {len(searched):,}{some} {whose}")
    settings = opened.info.pixels
    patches = exciting_patches(
        opened.steps, chosen, searched, settings, num_patches=_PATCHES, report=report
    )
    found = _learned(opened, patches, num_channels, seed, report)
    return _draw(opened, found, folder or make_numbered_folder(default), num_images=len(searched))


def _files(opened: Opened) -> dict[str, str]:
    """Return the file name of each convolutional layer's picture."""
    layers = opened.names(opened.convolutions())
    return layer_files(layers, [_kernels_name(opened), FILTERS_PAGE])


def _kernels_name(opened: Opened) -> str:
    first = opened.convolutions()[0]
    return png_name(f"{opened.steps[first].name}-filters")


def _records(
    opened: Opened, images: Path | None, note: Callable[[str], None]
) -> tuple[list[ImageRecord], str]:
    """Return the images to search, and what to call them in a note."""
    if images is None:
        rows = opened.run.read_split()
        split = "validation" if any(row["split"] == "validation" for row in rows) else "train"
        data_config = load_config(opened.run.config).data
        found = run_images(rows, split, data_config, option="--images FOLDER")
        return list(found), "training images" if split == "train" else "validation images"
    if not images.exists():
        raise DataError(f"--images {images}: no folder or file has this name.")
    ignored = Ignored()
    found = list(find_images([str(images)], ignored))
    for sentence in ignored.notes():
        note(sentence)
    if images.is_dir() and found == [str(images)]:
        raise DataError(f"--images {images} contains no image.")
    return [ImageRecord(path, LocalFile(path), "", None) for path in found], f"images in {images}"


def _evenly(given: Sequence[Any], most: int) -> list[Any]:
    if len(given) <= most:
        return list(given)
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
    first, names = opened.convolutions()[0], _files(opened)
    kernels = None
    if first in found and found[first].kernel.shape[2] in (1, 3):  # it sees the image itself
        kernels = folder / _kernels_name(opened)
        draw_kernels(found[first], kernels)
    layers = list(found.values())
    files = [folder / names[layer.name] for layer in layers]
    for layer, file in zip(layers, files, strict=True):
        draw_layer(layer, file)
    data = [layer_data(layer, coloured=position == first) for position, layer in found.items()]
    kept, notes = within_bound(data)
    title = f"What {printable(opened.run.name)} has learned"
    page = folder / FILTERS_PAGE
    write_text(page, render("filters", title, {"title": title, "notes": notes, "layers": kept}))
    return Filters(folder, opened.path, num_images, layers, files, kernels, page, notes)
