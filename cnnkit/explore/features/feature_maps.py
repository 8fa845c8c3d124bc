"""Draw what each layer of a model makes of an image, as PNG files and one HTML page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import read_pixels
from cnnkit.errors import DataError, ImageError
from cnnkit.explore.features.model_graph import check_finite
from cnnkit.explore.features.opened_model import Opened, find_model
from cnnkit.explore.features.output_folder import FEATURES_PAGE, layer_files, wanted_folder
from cnnkit.explore.features.overview import draw_overview
from cnnkit.explore.features.page import render, stage_data
from cnnkit.explore.features.stages import MOVE, OTHER, Stage, most_active, path_from, stages_of
from cnnkit.files import write_text
from cnnkit.model.model_info import ModelInfo
from cnnkit.new_folders import make_numbered_folder
from cnnkit.pages import printable
from cnnkit.plots.map_pictures import Section, plot_maps
from cnnkit.progress import Report
from cnnkit.tables import table_text

_OVERVIEW = "overview.png"
_MOST_MAPS = 64  # in the picture of one layer
_MOST_NAMED = 5  # channels in the table, the most active ones
_HOW = {"sum": "sums", "max": "max pool", "mean": "average pool", "relu": "after ReLU"}


@dataclass(frozen=True, eq=False)
class Features:
    """The files that `cnnkit features` drew, and what they show.

    Args:
        folder: the folder of the files.
        model: the `.keras` file.
        layers: name, shape, range, most active channels and file of each convolutional layer.
        answer: (class name, probability) of all classes; the most probable one is the first.
        overview: PNG file with the whole way from the image to the probabilities.
        page: the HTML file.
        notes: sentences about what the page leaves out.
    """

    folder: Path
    model: Path
    layers: list[dict[str, Any]]
    answer: list[tuple[str, float]]
    overview: Path
    page: Path
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        name, probability = self.answer[0]
        return {
            "folder": str(self.folder),
            "model": str(self.model),
            "prediction": name,
            "probability": round(probability, 6),
            "layers": self.layers,
            "overview": str(self.overview),
            "page": str(self.page),
            "notes": self.notes,
        }

    def text(self) -> str:
        """Return a table of the layers, the prediction and the files."""
        rows = []
        for layer in self.layers:
            height, width, count = layer["shape"]
            maps = f"{count} of {height} x {width}"
            ends = f"{layer['min']:.4g}", f"{layer['max']:.4g}"
            active = ", ".join(map(str, layer["most_active"]))
            rows.append((layer["layer"], maps, *ends, active))
        columns = ("layer", "maps", "lowest", "highest", "most active")
        name, probability = self.answer[0]
        return "\n".join(
            [
                table_text(columns, rows, right=("maps", "lowest", "highest")),
                f"prediction: {name} {probability:.4f}",
                f"overview: {self.overview}",
                f"page: {self.page}",
            ]
        )


def draw_features(
    image: str,
    model: str | None,
    runs_folder: Path,
    *,
    layers: Sequence[str] = (),
    output: Path | None = None,
    overwrite: bool = False,
    report: Report,
) -> Features:
    """Draw what each convolutional layer of a model makes of one image.

    Args:
        image: an image file.
        model: a run, or a `.keras` file in a run; None means the newest finished run.
        runs_folder: where run names are looked up.
        layers: names of convolutional layers; by default all.
        output: folder to write to. By default a new one: `features/<image>` in the run, or
            `features/<image>-2`, `features/<image>-3`, ... if that exists.
        overwrite: whether earlier files may be replaced, also those in the default folder.
        report: shows the progress and notes.

    Raises:
        DataError: the image cannot be read, or the model gives NaN.
        UsageError: the model or a layer does not exist, or a file must not be replaced.
    """
    found = find_model(model, runs_folder, report.note)
    default = found.run.folder / "features" / (Path(image).stem or "image")

    def checked(names: Sequence[str]) -> tuple[dict[str, str], Path | None]:
        files, chosen = layer_files(names, [_OVERVIEW, FEATURES_PAGE]), found.chosen(names, layers)
        written = [*(files[layer] for layer in chosen), _OVERVIEW, FEATURES_PAGE]
        inputs = [image]
        return files, wanted_folder(output, default, written, overwrite=overwrite, inputs=inputs)

    # Before the model is loaded, so that a mistake shows at once.
    if (names := found.convolutions()) is not None:
        checked(names)
    pixels = _pixels(image, found.info)
    opened = found.load()
    places = opened.convolutions()
    # Again: the names of layers in a model inside the model are known only now.
    files, folder = checked(list(places))
    stages = _stages(pixels, opened)
    # Only now: an image that cannot be read must not leave an empty folder.
    folder = folder or make_numbered_folder(default)
    name = printable(os.path.basename(image))
    chosen = {places[layer] for layer in found.chosen(list(places), layers)}
    starts = [i for i, s in enumerate(stages) if s.convolution and s.position in chosen]
    drawn, orders = [], most_active(stages)
    with report.counting("layers") as advance:
        for done, start in enumerate(starts, 1):
            path = folder / files[stages[start].name]
            drawn.append(_draw_layer(stages, start, orders[start], name, path))
            advance(done, len(starts))
    return _finish(opened, stages, starts if layers else [], name, folder, drawn)


def _pixels(image: str, info: ModelInfo) -> NDArray:
    try:
        return read_pixels(image, info.pixels)
    except ImageError as error:
        raise DataError(f"{image}: {error}.") from error


def _stages(pixels: NDArray, opened: Opened) -> list[Stage]:
    stages = stages_of(opened.steps, pixels)
    for stage in stages:
        check_finite(stage.values, stage.name)
    return stages


def _finish(
    opened: Opened,
    stages: list[Stage],
    only: list[int],
    name: str,
    folder: Path,
    drawn: list[dict[str, Any]],
) -> Features:
    answer = _answer(opened, stages[-1])
    # With --layer the page has only these layers, so that their numbers fit completely.
    title = f"{name} in {printable(opened.run.name)}"
    overview, page = folder / _OVERVIEW, folder / FEATURES_PAGE
    kept = _around(stages, only) if only else list(range(len(stages)))
    draw_overview(stages, kept, answer, title, overview)
    data, notes = stage_data(_renumbered(stages, kept))
    if opened.run and opened.run.calibration.is_file():
        notes.append(
            "These are the layers as they were trained. The run is calibrated, so predict gives "
            "the same class with another probability."
        )
    shown = {"title": title, "answer": answer[:10], "notes": notes, "stages": data}
    write_text(page, render("features", title, shown))
    return Features(folder, opened.path, drawn, answer, overview, page, notes)


def _answer(opened: Opened, last: Stage) -> list[tuple[str, float]]:
    probabilities = opened.info.probabilities(last.values.reshape(1, -1))[0]
    # Stable, so that of equal probabilities the first class is the answer, as with argmax.
    order = np.argsort(-probabilities, kind="stable")
    return [(opened.info.class_names[i], float(probabilities[i])) for i in order]


def _around(stages: Sequence[Stage], starts: Sequence[int]) -> list[int]:
    """Return the image, the chosen layers with what precedes and follows them, and the answer."""
    kept = {0, len(stages) - 1}
    for start in starts:
        kept |= {*stages[start].parents, *path_from(stages, start)}
    return sorted(kept)


def _renumbered(stages: Sequence[Stage], kept: Sequence[int]) -> list[Stage]:
    """Return the kept stages with new parent numbers.

    A stage whose parents are not all kept has no parents, so the page cannot explain its numbers.
    """
    place = {old: new for new, old in enumerate(kept)}
    result = []
    for old in kept:
        stage = stages[old]
        if all(parent in place for parent in stage.parents):
            parents = tuple(place[parent] for parent in stage.parents)
            result.append(replace(stage, parents=parents))
        else:
            result.append(replace(stage, kind=OTHER, parents=(), window=None, kernel=None))
    return result


def _draw_layer(
    stages: list[Stage], start: int, order: NDArray, image: str, path: Path
) -> dict[str, Any]:
    stage = stages[start]
    # The most active channels, drawn in the order of their numbers.
    channels = np.sort(order[:_MOST_MAPS])
    sections = [
        Section(
            _section_title(stages[i]), stages[i].values[..., channels], list(map(str, channels))
        )
        for i in path_from(stages, start)
        if stages[i].kind != MOVE
    ]
    height, width, count = stage.values.shape
    some = f", the {len(channels)} most active" if len(channels) < count else ""
    title = f"{stage.name} ({stage.title}): {count} channels of {height} x {width}{some}. {image}"
    plot_maps(title, sections, path)
    return {
        "layer": stage.name,
        "kind": stage.title,
        "shape": [height, width, count],
        "min": float(stage.values.min()),
        "max": float(stage.values.max()),
        "most_active": order[:_MOST_NAMED].tolist(),
        "file": str(path),
    }


def _section_title(stage: Stage) -> str:
    height, width, _ = stage.values.shape
    what = _HOW.get(stage.kind, f"after {stage.title}")
    return f"{what}: {height} x {width}, {stage.values.min():.3g} to {stage.values.max():.3g}"
