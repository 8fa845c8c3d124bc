"""What an export has written, in words and for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnkit.errors import GateError
from cnnkit.export.formats import FORMATS
from cnnkit.tables import table_text
from cnnkit.text import count_of, quoted, size_text

_NUMBERS = ["size", "milliseconds", "max_difference", "top1_agreement"]


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
        """Return a table with one row per file, what was measured, and a command to go on with."""
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
        lines = [table_text(["file", *_NUMBERS], rows, right=_NUMBERS)]
        lines += self.sentences()
        use = FORMATS[next(iter(self.formats))].use.format(quoted(rows[0][0]))
        return "\n".join([*lines, f"next: {use}"])

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


def _sentences(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was measured of one format, besides the numbers of the table."""
    if judgement := values.get("judgement"):
        yield _judgement_text(judgement)
    if number := values.get("calibration_images"):
        yield (
            f"the ranges of its numbers are those of {count_of(number, 'training image')} of "
            f"{count_of(values['calibration_classes'], 'class', 'classes')}"
        )
    if device := values.get("device"):
        yield (
            f"on a device, about {size_text(device['arena_bytes'])} of memory for tensors (an "
            f"estimate), {size_text(device['flash_bytes'])} of flash, "
            f"{device['multiply_adds'] / 1e6:,.1f} million multiply-adds per image"
        )
    if signature := values.get("bytes_signature"):
        yield _bytes_text(signature)


def _judgement_text(judgement: Mapping[str, Any]) -> str:
    low, high = judgement["interval"]
    difference = 100 * (judgement["accuracy"] - judgement["original_accuracy"])
    images = count_of(judgement["num_images"], f"{judgement['split']} image")
    return (
        f"accuracy {judgement['accuracy']:.4f} on {images}, before "
        f"{judgement['original_accuracy']:.4f} (difference {difference:+.1f} points, 95% interval "
        f"{100 * low:+.1f} to {100 * high:+.1f}); {judgement['agreement']:.1%} of the answers are "
        f"the same; {judgement['milliseconds']:.1f} ms per image, before "
        f"{judgement['original_milliseconds']:.1f}"
    )


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
