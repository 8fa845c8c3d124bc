"""The explanation of one image, and of several: as text, as JSON and as files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import DataError
from cnnkit.explanation.map_notes import map_note
from cnnkit.explanation.methods import HeatMap
from cnnkit.explanation.neighbours import Neighbour, draw_neighbours
from cnnkit.explanation.target import Target
from cnnkit.files import atomic_write, write_json
from cnnkit.tables import table_text
from cnnkit.text import count_of, shown

_JSON, _PICTURE = "explanation.json", "explanation.png"


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model gave its answer for one image.

    Args:
        path: as the user gave it.
        pixels: what the model sees, (height, width, channels) uint8.
        class_names: in label order.
        probabilities: (num_classes,).
        target: the question.
        maps: one per method.
        label: the true class, if it is known.
        folder: where its files are; None before they are written.
        neighbours: the most similar training images, the nearest first.
    """

    path: str
    pixels: NDArray
    class_names: Sequence[str]
    probabilities: NDArray
    target: Target
    maps: Sequence[HeatMap]
    label: str | None = None
    folder: Path | None = None
    neighbours: Sequence[Neighbour] = ()

    @property
    def prediction(self) -> str:
        """The most probable class."""
        return self.class_names[int(self.probabilities.argmax())]

    @property
    def question(self) -> str:
        """The question in words."""
        return f"why {self.wanted}?"

    @property
    def wanted(self) -> str:
        """The class that is explained, and the one that it is compared with."""
        name = self.class_names[self.target.label]
        if self.target.against is None:
            return name
        return f"{name} and not {self.class_names[self.target.against]}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the maps are in the `.npy` files."""
        against = self.target.against
        return {
            "path": self.path,
            "label": self.label,
            "prediction": self.prediction,
            "class": self.class_names[self.target.label],
            "against": None if against is None else self.class_names[against],
            "probabilities": {
                name: round(float(probability), 6)
                for name, probability in zip(self.class_names, self.probabilities, strict=True)
            },
            "maps": [self._facts(found) for found in self.maps],
            "neighbours": [each.as_dict() for each in self.neighbours],
            "picture": self.folder and str(self.folder / _PICTURE),
        }

    def _facts(self, found: HeatMap) -> dict[str, Any]:
        row, column = np.unravel_index(int(found.values.argmax()), found.values.shape)
        height, width = found.values.shape
        return {
            "method": found.method,
            "layer": found.layer,
            "shape": [height, width],
            "min": float(found.values.min()),
            "max": float(found.values.max()),
            # The middle of the position, as shares of the height and width of the image.
            "highest_at": [round((row + 0.5) / height, 4), round((column + 0.5) / width, 4)],
            **found.facts,
            "note": self.note(found),
            "array": self.folder and str(self.folder / f"{found.method}.npy"),
        }

    def note(self, found: HeatMap) -> str | None:
        """Return what is unusual about one of the maps, in words; None if nothing is."""
        return map_note(found, self.wanted)

    def write(self, folder: Path) -> None:
        """Write the picture, the arrays and the JSON file into a folder that exists."""
        from cnnkit.plots.explanation_picture import plot_explanation

        for found in self.maps:
            with atomic_write(folder / f"{found.method}.npy", "wb") as file:
                np.save(file, found.values.astype(np.float32))
        answer = [
            (name, float(p)) for name, p in zip(self.class_names, self.probabilities, strict=True)
        ]
        plot_explanation(
            f"{Path(self.path).name}: {self.question}"
            + (f" (labelled {self.label})" if self.label is not None else ""),
            self.pixels,
            sorted(answer, key=lambda pair: -pair[1]),
            [(_heading(found, self.note(found)), found.values) for found in self.maps],
            folder / _PICTURE,
        )
        if self.neighbours:
            draw_neighbours(self.path, self.pixels, self.prediction, self.neighbours, folder)
        write_json(folder / _JSON, self.as_dict())


def _heading(found: HeatMap, note: str | None) -> str:
    lines = [found.method, *([f"layer {found.layer}"] if found.layer else [])]
    lines += [f"{name.replace('_', ' ')} {value:.3g}" for name, value in found.facts.items()]
    lines += textwrap.wrap(note or "", 40)
    return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Explanations:
    """The explanations of several images.

    Args:
        model: the model file.
        images: one per image that could be explained.
        errors: (path, reason) of the other images.
    """

    model: Path
    images: Sequence[Explanation]
    errors: Sequence[tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return {
            "model": str(self.model),
            "images": [each.as_dict() for each in self.images],
            "errors": [{"path": path, "error": reason} for path, reason in self.errors],
        }

    def text(self) -> str:
        """Return one row per image and method."""
        if not self.images:
            return ""
        names = sorted(
            {name for each in self.images for found in each.maps for name in found.facts}
        )
        columns = ("image", "prediction", "probability", "question", "method", "layer", *names)
        rows = [
            (
                shown(each.path),
                each.prediction,
                f"{each.probabilities.max():.4f}",
                each.question,
                found.method,
                found.layer or "",
                *(f"{found.facts[name]:.4f}" if name in found.facts else "" for name in names),
            )
            for each in self.images
            for found in each.maps
        ]
        files = [str(each.folder / _PICTURE) for each in self.images if each.folder]
        alike = [
            f"{shown(each.path)} is most like {', '.join(map(str, each.neighbours))}"
            for each in self.images
            if each.neighbours
        ]
        notes = [
            f"{shown(each.path)}, {found.method}: {note}"
            for each in self.images
            for found in each.maps
            if (note := each.note(found))
        ]
        table = table_text(columns, rows, right=("probability", *names))
        return "\n".join([table, *notes, *alike, *files])

    def failure(self) -> DataError | None:
        """Return the error that ends the command if an image could not be explained."""
        if not self.errors:
            return None
        lines = [f"{shown(path)}: {reason}" for path, reason in self.errors]
        number = f"{count_of(len(lines), 'image')} could not be explained."
        return DataError("\n".join([*lines, number]))
