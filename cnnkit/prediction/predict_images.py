"""Predict a stream of images, in order.

Threads read and answer a few images ahead, so memory does not grow with their number. A file that
cannot be read gives a prediction with an error, and the next image follows.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.errors import ImageError
from cnnkit.model.calibration import UNKNOWN
from cnnkit.prediction.find_images import name_of, pixels_of
from cnnkit.prediction.read_ahead import read_ahead
from cnnkit.runtimes import Predictor

_NUM_FETCHES = 16  # images that are fetched from other computers at the same time


@dataclass(frozen=True)
class Prediction:
    """The answer for one image: probabilities, or the reason why there are none.

    Args:
        path: as the user gave it; `-` for an image that was given as bytes.
        class_names: in label order.
        probabilities: (num_classes,); None if the image cannot be read.
        error: why it cannot be read; None if it can.
        distance: of its features from those of the training images; None if the model was not
            calibrated.
        reason: why the answer is `unknown`; None if it is the most probable class.
        kind: of the error, as `cnnkit data check` reports it, or `unreachable`; None if there is
            no error.
    """

    path: str
    class_names: tuple[str, ...]
    probabilities: NDArray | None = None
    error: str | None = None
    distance: float | None = None
    reason: str | None = None
    kind: str | None = None

    @property
    def answer(self) -> str | None:
        """The most probable class, or `unknown`; None if the image cannot be read."""
        if self.probabilities is None:
            return None
        return self.top(1)[0][0] if self.reason is None else UNKNOWN

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable classes with their probabilities, the largest first.

        The list is empty if there is an error.
        """
        if self.probabilities is None:
            return []
        # The stable sort puts the first of several equal classes first, as argmax does.
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.class_names[label], float(self.probabilities[label])) for label in order]


class Kept(Protocol):
    """Answers of an earlier prediction of the same model."""

    def find(self, path: str) -> Prediction | None:
        """Return the answer for an image; called from several threads."""

    def add(self, prediction: Prediction) -> None:
        """Keep an answer."""


@runtime_checkable
class RemoteImage(Protocol):
    """An image that takes a while to come, such as `WebImage` and `StoredImage`."""

    def fetch(self, stopped: threading.Event) -> bytes:
        """Return the encoded image; raises ImageError. It gives up as soon as `stopped` is set."""


def predict(
    predictor: Predictor,
    images: Iterable[str | ImageFile | bytes],
    kept: Kept | None = None,
    *,
    num_cores: int | None = None,
) -> Iterator[Prediction]:
    """Yield one prediction per image, in order.

    Args:
        predictor: the model.
        images: paths, files inside other files, or the bytes of an image file. In a sequence of
            one image, all cores work on it; otherwise each core has an image of its own.
        kept: has answers that are not computed again, and gets the others.
        num_cores: how many decode and answer images; by default all.
    """
    if isinstance(images, Sequence) and len(images) == 1:
        yield _prediction(images[0], predictor)
        return
    for_threads = predictor.for_threads()
    num_cores = num_cores or os.cpu_count() or 1
    computing, stopped = threading.Semaphore(num_cores), threading.Event()

    def answer(image: str | ImageFile | bytes) -> Prediction:
        if kept is not None and (earlier := kept.find(name_of(image))):
            return earlier
        try:
            # Images that take a while to come are waited for while others are computed.
            content = image.fetch(stopped) if isinstance(image, RemoteImage) else image
        except ImageError as error:
            return unread(name_of(image), for_threads, error)
        with computing:
            return _prediction(image, for_threads, content)

    num_threads = max(_NUM_FETCHES, num_cores)
    for _, future in read_ahead(images, answer, num_threads=num_threads, stopped=stopped):
        prediction = future.result()
        if kept is not None:
            kept.add(prediction)
        yield prediction


def _prediction(
    image: str | ImageFile | bytes,
    predictor: Predictor,
    content: str | ImageFile | bytes | None = None,
) -> Prediction:
    """Read one image and answer it alone: an answer must not depend on others of its batch."""
    name = name_of(image)
    try:
        pixels = pixels_of(image if content is None else content, predictor.info.pixels)
    except ImageError as error:
        return unread(name, predictor, error)
    return predictions_of(predictor, [name], [pixels])[0]


def unread(name: str, predictor: Predictor, error: ImageError) -> Prediction:
    """Return the prediction for an image that cannot be read."""
    return Prediction(name, predictor.info.class_names, error=str(error), kind=error.kind)


def predictions_of(
    predictor: Predictor, names: Sequence[str], pixels: Sequence[NDArray]
) -> list[Prediction]:
    """Return one prediction per image, from pixels.

    Args:
        predictor: the model.
        names: of the images.
        pixels: of each image, as `pixels_of` returns them.
    """
    info = predictor.info
    probabilities, distances = predictor.answers(np.stack(pixels))
    found = []
    for position, name in enumerate(names):
        distance = None if distances is None else float(distances[position])
        own, reason = probabilities[position], None
        if info.calibration is not None:
            reason = info.calibration.refusal(own, distance, info.class_names)
        found.append(Prediction(name, info.class_names, own, distance=distance, reason=reason))
    return found
