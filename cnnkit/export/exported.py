"""What an export has written, in words and for JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnkit.errors import GateError
from cnnkit.export.formats import FORMATS
from cnnkit.tables import table_text
from cnnkit.text import count_of, quoted, size_text

_NUMBERS = ["size", "milliseconds", "max_difference", "top1_agreement"]
_JUDGED = ["format", "before", "accuracy", "points", "95% interval", "same answers", "images"]
_DEVICE = ["on a device", "memory for tensors", "flash", "multiply-adds"]


@dataclass(frozen=True)
class Export:
    """The files of one export.

    Args:
        folder: where they are.
        formats: for each format its `file`, its size in `bytes`, and `max_difference` and
            `top1_agreement` as from `check_parity`.
        run_status: of the run: finished, interrupted, ...
        refused: the same for formats that were not kept, because they lose too much accuracy.
        allowed_drop: how many percentage points of accuracy they may lose.
    """

    folder: Path
    formats: dict[str, dict[str, Any]]
    run_status: str
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    allowed_drop: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the folder, the status of the run and the formats, ready for JSON."""
        return {
            "folder": str(self.folder),
            "run_status": self.run_status,
            "formats": self.formats,
            **({"refused": self.refused} if self.refused else {}),
        }

    def text(self) -> str:
        """Return tables of the files and what was measured, and a command to go on with."""
        if not self.formats:
            return ""
        rows = [
            [
                str(self.folder / values["file"]),
                f"{values['bytes'] / 1e6:.2f} MB",
                f"{values['milliseconds']:.1f}",
                f"{values['max_difference']:.1e}",
                f"{values['top1_agreement']:.2f}",
            ]
            for values in self.formats.values()
        ]
        parts = [
            table_text(["file", *_NUMBERS], rows, right=_NUMBERS),
            *_table_of("judgement", _JUDGED, _judged_row, self.formats),
            *_table_of("device", _DEVICE, _device_row, self.formats),
        ]
        notes = [
            f"{name}: {note}" for name, values in self.formats.items() for note in _notes(values)
        ]
        parts += [""] * bool(notes or len(parts) > 1) + notes
        use = FORMATS[next(iter(self.formats))].use.format(quoted(rows[0][0]))
        return "\n".join([*parts, f"next: {use}"])

    def sentences(self) -> Iterator[str]:
        """Yield what was measured of each format, besides the numbers of the table."""
        for name, values in self.formats.items():
            yield from (f"{name}: {sentence}" for sentence in _sentences(values))

    def failure(self) -> GateError | None:
        """Return the error for formats that lose too much accuracy, or None."""
        if not self.refused:
            return None
        lines = [
            f"{name} was not written: {_judgement_text(values['judgement'])}."
            for name, values in self.refused.items()
        ]
        worst = max(values["judgement"]["drop_points"] for values in self.refused.values())
        return GateError(
            "\n".join(lines) + f"\nThe accuracy may fall by {_points(self.allowed_drop)}. Take a "
            f"format with larger numbers (tflite-float16, tflite), or allow it: --allow-drop "
            f"{math.ceil(10 * worst) / 10:g}"
        )


def _table_of(
    key: str,
    header: list[str],
    row: Callable[[Mapping[str, Any]], list[str]],
    formats: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """Yield a table of the formats that have a kind of facts; nothing if there are none."""
    rows = [[name, *row(values[key])] for name, values in formats.items() if key in values]
    if rows:
        yield f"\n{table_text(header, rows, right=header[1:])}"


def _judged_row(judgement: Mapping[str, Any]) -> list[str]:
    low, high = judgement["interval"]
    return [
        f"{judgement['original_accuracy']:.4f}",
        f"{judgement['accuracy']:.4f}",
        f"{_difference(judgement):+.1f}",
        f"{100 * low:+.1f} to {100 * high:+.1f}",
        f"{judgement['agreement']:.1%}",
        f"{judgement['num_images']:,} {judgement['split']}",
    ]


def _device_row(device: Mapping[str, Any]) -> list[str]:
    return [
        f"about {size_text(device['arena_bytes'])}",
        size_text(device["flash_bytes"]),
        f"{device['multiply_adds'] / 1e6:,.1f} M",
    ]


def _sentences(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was measured of one format, besides size, time and differences."""
    if judgement := values.get("judgement"):
        yield _judgement_text(judgement)
    if device := values.get("device"):
        yield (
            f"on a device, about {size_text(device['arena_bytes'])} of memory for tensors (an "
            f"estimate), {size_text(device['flash_bytes'])} of flash, "
            f"{device['multiply_adds'] / 1e6:,.1f} million multiply-adds per image"
        )
    yield from _notes(values)


def _notes(values: Mapping[str, Any]) -> Iterator[str]:
    if number := values.get("calibration_images"):
        yield (
            f"the ranges of its numbers are those of {count_of(number, 'training image')} of "
            f"{count_of(values['calibration_classes'], 'class', 'classes')}"
        )
    if signature := values.get("bytes_signature"):
        yield _bytes_text(signature)
    if values.get("needs_cnnkit"):
        yield "Keras loads it only if cnnkit is imported, because of the module of TF Hub in it"


def _judgement_text(judgement: Mapping[str, Any]) -> str:
    low, high = judgement["interval"]
    images = count_of(judgement["num_images"], f"{judgement['split']} image")
    return (
        f"accuracy {judgement['accuracy']:.4f} on {images}, before "
        f"{judgement['original_accuracy']:.4f} (difference {_difference(judgement):+.1f} points, "
        f"95% interval {100 * low:+.1f} to {100 * high:+.1f}); {judgement['agreement']:.1%} of the "
        f"answers are the same; {judgement['milliseconds']:.1f} ms per image, before "
        f"{judgement['original_milliseconds']:.1f}"
    )


def _difference(judgement: Mapping[str, Any]) -> float:
    """Return by how many percentage points the accuracy has changed."""
    return 100 * (judgement["accuracy"] - judgement["original_accuracy"])


def _bytes_text(signature: Mapping[str, Any]) -> str:
    images = count_of(signature["num_images"], "image")
    return (
        f"pixels that TensorFlow decodes differ from those of cnnkit by "
        f"{signature['mean_pixel_difference']:.2f} levels of 255 on average and at most "
        f"{signature['max_pixel_difference']}, probabilities by up to "
        f"{signature['max_difference']:.1e} ({images})"
    )


def _points(number: float) -> str:
    return "1 point" if number == 1 else f"{number:g} points"
