"""Measure one model: what it answers, how long it takes, and how much memory.

It is called in a process of its own, so that no model disturbs the numbers of another one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.pixels import read_pixels
from cnnkit.errors import CnnkitError
from cnnkit.foreign.chosen_model import load_chosen
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.runtimes import Predictor
from cnnkit.usable_cores import use_cores

_WARM_UP = 0.1  # of the seconds
_LEAST_CALLS = 5
_DIFFERENT_IMAGES = 32  # that are timed in turn


@dataclass(frozen=True)
class Job:
    """What is measured.

    Args:
        path: of the model.
        how: what is said about a model that cnnkit did not write.
        threads: the number of cores that it may use.
        batch_sizes: how many images are given at a time.
        seconds: how long each batch size is timed.
        images: to be answered and timed; without any, random pixels are timed.
        answers: whether each image is answered, which takes as long as there are images.
    """

    path: Path
    how: HowToRead
    threads: int
    batch_sizes: Sequence[int]
    seconds: float
    images: Sequence[ImageFile]
    answers: bool


@dataclass(frozen=True)
class Timing:
    """How long calls took.

    Args:
        batch_size: images per call.
        calls: how many were timed.
        p50_ms: milliseconds of a call, the median; the others are percentiles.
        images_per_second: over all calls.
    """

    batch_size: int
    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    images_per_second: float


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured of a job, or why it could not be.

    Args:
        error: why the model cannot be used; then the rest is empty.
        class_names: of the model.
        predicted: (num_images,) the most probable classes, if they were asked for.
        load_seconds: until the first answer, with the import of the runtime.
        peak_megabytes: the most memory that the process has used; None if it is not known.
        timings: one per batch size.
    """

    error: str | None = None
    class_names: tuple[str, ...] = ()
    predicted: NDArray | None = None
    load_seconds: float = 0.0
    peak_megabytes: float | None = None
    timings: list[Timing] = field(default_factory=list)


def measure(job: Job) -> Measurement:
    """Load a model, let it answer, and time it.

    An expected failure is returned as the `error`, so that other models can still be measured.
    """
    use_cores(job.threads)
    try:
        return _measured(job)
    except CnnkitError as error:
        return Measurement(str(error))


def _measured(job: Job) -> Measurement:
    begin = time.perf_counter()
    # With several models, options are for those that cnnkit did not write.
    predictor = load_chosen(job.path, job.how, lambda sentence: None, is_one_of_several=True)
    predictor(np.zeros((1, *predictor.info.pixels.shape), np.uint8))
    load_seconds = time.perf_counter() - begin
    images = job.images
    predicted = _answers(predictor, images) if job.answers and images else None
    pixels = _pixels(predictor, images[:_DIFFERENT_IMAGES])
    timings = [_timing(predictor, pixels, size, job.seconds) for size in job.batch_sizes]
    names = predictor.info.class_names
    return Measurement(None, names, predicted, load_seconds, peak_megabytes(), timings)


def _answers(predictor: Predictor, images: Sequence[ImageFile]) -> NDArray:
    """Return the most probable class of each image; one is in memory at a time."""
    settings = predictor.info.pixels
    return np.array([predictor(read_pixels(each, settings)[None])[0].argmax() for each in images])


def _pixels(predictor: Predictor, images: Sequence[ImageFile]) -> NDArray:
    settings = predictor.info.pixels
    if images:
        return np.stack([read_pixels(each, settings) for each in images])
    return np.random.default_rng(0).integers(0, 256, (8, *settings.shape), np.uint8)


def _timing(predictor: Predictor, pixels: NDArray, batch_size: int, seconds: float) -> Timing:
    # Each batch begins one image later, so that all of them come in turn.
    places = np.arange(batch_size)
    times: list[float] = []
    end = time.perf_counter() + _WARM_UP * seconds
    predictor(pixels[places % len(pixels)])  # the first call of a batch size may prepare for it
    while time.perf_counter() < end:
        predictor(pixels[places % len(pixels)])
    begin = time.perf_counter()
    while len(times) < _LEAST_CALLS or time.perf_counter() - begin < seconds:
        batch = pixels[(places + len(times)) % len(pixels)]
        start = time.perf_counter()
        predictor(batch)
        times.append(time.perf_counter() - start)
    p50, p95, p99 = (1000 * float(each) for each in np.percentile(times, (50, 95, 99)))
    return Timing(batch_size, len(times), p50, p95, p99, batch_size * len(times) / sum(times))


def peak_megabytes() -> float | None:
    """Return the most memory that this process has used; None if the system does not say.

    Linux keeps it for the program that runs in a process. What `getrusage` gives there includes
    the program that started it.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    return None
