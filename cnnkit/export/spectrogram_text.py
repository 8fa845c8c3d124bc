"""The function that turns a sound into a picture, as text for scripts that need no cnnkit."""

from __future__ import annotations

from typing import Any

from cnnkit.data.decoding import spectrograms


def spectrogram_values() -> dict[str, Any]:
    """Return the values of the template `spectrogram.jinja`: the numbers of the package."""
    return {
        "bands": spectrograms.BANDS,
        "lowest_hertz": _number(spectrograms.LOWEST_HERTZ),
        "highest_hertz": _number(spectrograms.HIGHEST_HERTZ),
        "columns_per_second": spectrograms.COLUMNS_PER_SECOND,
        "step_ms": _number(1000 / spectrograms.COLUMNS_PER_SECOND),
        "window_seconds": spectrograms.WINDOW_SECONDS,
        "decibels": _number(spectrograms.RANGE_DECIBELS),
    }


def _number(value: float) -> str:
    """Return a number as Python text: 14_000 for 14000.0."""
    return f"{value:_g}" if value % 1 else f"{int(value):_}"
