"""Measure how long the models of compared runs take for one image."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from cnnkit.comparison.comparing import Comparison
from cnnkit.runtimes import load_predictor

_ROUNDS = 5
_SECONDS = 0.1  # per model and round


def with_latency(comparison: Comparison) -> Comparison:
    """Return the comparison with the milliseconds per image of each run that has a model.tflite.

    The models run in turn, so that what else the computer does meanwhile slows all of them down
    alike; each figure is the median of all its single images. Reading the image is not included.
    """
    models = {run.name: _model(run.model) for run in comparison.runs if run.model}
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(_ROUNDS):
        for name, model in models.items():
            times[name] += _seconds(model)
    runs = [
        replace(run, milliseconds=1000 * median(times[run.name])) if run.name in times else run
        for run in comparison.runs
    ]
    return replace(comparison, runs=tuple(runs))


def _model(path: Path) -> Callable[[], object]:
    predictor = load_predictor(path, path.parent)
    settings = predictor.info.pixels
    shape = (1, *settings.image_size, 1 if settings.color_mode == "grayscale" else 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    predictor.outputs(pixels)  # the first one also prepares the model
    return lambda: predictor.outputs(pixels)


def _seconds(model: Callable[[], object]) -> list[float]:
    found, end = [], time.perf_counter() + _SECONDS
    while not found or time.perf_counter() < end:
        begin = time.perf_counter()
        model()
        found.append(time.perf_counter() - begin)
    return found
