"""Judge a model with smaller numbers on held-out images, beside the model that it was made from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnkit.comparison.paired_tests import difference_interval
from cnnkit.config import load_config
from cnnkit.data.pixels import read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.data.scored_images import run_images
from cnnkit.errors import UsageError
from cnnkit.prediction import read_ahead
from cnnkit.runs import Run
from cnnkit.runtimes import Predictor

_SECONDS = 0.3  # of timing, for each model
_LEAST = 5
_NO_ANSWER = -1  # the label of an image for which a calibrated model answers `unknown`


class Answers(NamedTuple):
    """What a model said about held-out images.

    Args:
        predicted: (num_images,) the labels of the most probable classes.
        given: (num_images,) the same, but -1 where a calibrated model answers `unknown`.
    """

    predicted: NDArray
    given: NDArray


@dataclass(frozen=True)
class Judgement:
    """How a model compares with its original on the same images.

    Args:
        split: whose images they are.
        num_images: their number.
        original_accuracy: a number in [0, 1].
        accuracy: of the model.
        interval: 95% interval of the accuracy minus that of the original.
        agreement: the share of images that get the same answer from both; with a calibrated model,
            `unknown` is one of the answers.
        original_milliseconds: for one image that is read already; the median.
        milliseconds: of the model.
    """

    split: str
    num_images: int
    original_accuracy: float
    accuracy: float
    interval: tuple[float, float]
    agreement: float
    original_milliseconds: float
    milliseconds: float

    @property
    def drop(self) -> float:
        """How much accuracy is lost, in percentage points; below 0 if there is more."""
        # Rounded, so that 1 image of 100 is 1 point and not a little more.
        return round(100 * (self.original_accuracy - self.accuracy), 6)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**vars(self), "interval": list(self.interval), "drop_points": self.drop}


class HeldOut:
    """The images to judge models on, and what the original says about them.

    Args:
        run: its test images are used, or those of validation if there are none.
        original: the model of the run.
        note: called with one sentence if there are no test images.

    Raises:
        UsageError: the run has neither.
        DataError: images are missing, or have changed since the run was trained.
    """

    def __init__(self, run: Run, original: Predictor, note: Callable[[str], None]) -> None:
        rows = run.read_split()
        self.split = next(
            (name for name in ("test", "validation") if any(row["split"] == name for row in rows)),
            None,
        )
        if self.split is None:
            raise UsageError(
                f"{run.folder} has no test images and no validation images, so a model with "
                "smaller numbers cannot be judged. Export others: --format tflite."
            )
        if self.split != "test":
            note(
                f"{run.folder} has no test images, so the validation images are used. They decided "
                "which epoch is kept, so the accuracies are a little too good."
            )
        self._original = original
        self._records = run_images(
            rows, self.split, load_config(run.config).data, option="--format tflite"
        )
        names = original.info.class_names
        self._labels = np.array([names.index(record.label) for record in self._records])
        self._answers = answers_of(original, self._records)

    def judge(self, predictor: Predictor) -> Judgement:
        """Let a model answer the same images, and compare."""
        found, expected = answers_of(predictor, self._records), self._answers
        is_right = found.predicted == self._labels
        was_right = expected.predicted == self._labels
        before, after = milliseconds(self._original, predictor)
        return Judgement(
            str(self.split),
            len(self._labels),
            float(was_right.mean()),
            float(is_right.mean()),
            difference_interval(first=was_right, second=is_right, labels=self._labels),
            float((found.given == expected.given).mean()),
            before,
            after,
        )


def answers_of(predictor: Predictor, records: Sequence[ImageRecord]) -> Answers:
    """Return the answers of a model to images, one at a time, as `cnnkit predict` gives them.

    Raises:
        ImageError: an image cannot be read.
    """
    info = predictor.info
    predicted, given = [], []
    for pixels in _pixels(predictor, records):
        probabilities, distances = predictor.answers(pixels[np.newaxis])
        label, distance = int(probabilities[0].argmax()), None
        if distances is not None:
            distance = float(distances[0])
        refusal = info.calibration and info.calibration.refusal(
            probabilities[0], distance, info.class_names
        )
        predicted.append(label)
        given.append(_NO_ANSWER if refusal else label)
    return Answers(np.array(predicted), np.array(given))


def _pixels(predictor: Predictor, records: Sequence[ImageRecord]) -> Iterator[NDArray]:
    settings = predictor.info.pixels
    files = (record.file for record in records)
    for _, future in read_ahead(files, lambda file: read_pixels(file, settings)):
        yield future.result()


def milliseconds(*predictors: Predictor) -> list[float]:
    """Return the median time of each model for one image; they take turns."""
    shape = (1, *predictors[0].info.pixels.shape)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    times: list[list[float]] = [[] for _ in predictors]
    for predictor in predictors:
        predictor.outputs(pixels)  # the first one also prepares the model
    end = time.perf_counter() + _SECONDS * len(predictors)
    while len(times[-1]) < _LEAST or time.perf_counter() < end:
        for predictor, own in zip(predictors, times, strict=True):
            begin = time.perf_counter()
            predictor.outputs(pixels)
            own.append(time.perf_counter() - begin)
    return [1000 * median(own) for own in times]
