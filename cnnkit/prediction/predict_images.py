"""Predict a stream of images, in order.

Threads read and answer a few images ahead, so memory does not grow with their number. A file that
cannot be read gives a prediction with an error, and the next image follows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.errors import ImageError
from cnnkit.model.calibration import UNKNOWN
from cnnkit.prediction.find_images import name_of, pixels_of
from cnnkit.prediction.read_ahead import in_order
from cnnkit.runtimes import Predictor
from cnnkit.usable_cores import usable_cores

_NUM_WAITING = 8  # images per core
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
    with _Threads(predictor.for_threads(), kept, num_cores or usable_cores()) as threads:
        for _, future in in_order(
            images, threads.start, num_ahead=threads.num_ahead, stopped=threads.stopped
        ):
            prediction = future.result()
            if kept is not None:
                kept.add(prediction)
            yield prediction


class _Places:
    """Room for images that wait for a core; they may come from an archive and be in memory.

    Whoever waits for room goes on when half of it is free, because each waking costs about as much
    as a twentieth of an image.
    """

    def __init__(self, number: int) -> None:
        self._number, self._taken = number, 0
        self._changed = threading.Condition()

    def take(self) -> None:
        with self._changed:
            if self._taken == self._number:
                self._changed.wait_for(lambda: self._taken <= self._number // 2)
            self._taken += 1

    def give_back(self, _: object) -> None:
        with self._changed:
            self._taken -= 1
            if self._taken == self._number // 2:
                self._changed.notify()


class _Threads:
    """Those that compute, as many as cores, and those that wait for images from elsewhere."""

    def __init__(self, predictor: Predictor, kept: Kept | None, num_cores: int) -> None:
        self._predictor, self._kept = predictor, kept
        self._computing = ThreadPoolExecutor(num_cores)
        self._fetching = ThreadPoolExecutor(_NUM_FETCHES)
        self._places = _Places(_NUM_WAITING * num_cores)
        self.num_ahead = 2 * max(num_cores, _NUM_FETCHES)
        self.stopped = threading.Event()

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        self._fetching.shutdown(cancel_futures=True)
        self._computing.shutdown(cancel_futures=True)

    def start(self, image: str | ImageFile | bytes) -> Future[Prediction]:
        """Begin to answer an image."""
        if isinstance(image, RemoteImage):
            return self._fetching.submit(self._fetch, image)
        self._places.take()
        future = self._computing.submit(self._answer, image)
        future.add_done_callback(self._places.give_back)
        return future

    def _answer(self, image: str | ImageFile | bytes) -> Prediction:
        return self._earlier(image) or _prediction(image, self._predictor)

    def _fetch(self, image: RemoteImage) -> Prediction:
        if earlier := self._earlier(image):
            return earlier
        try:
            content = image.fetch(self.stopped)
        except ImageError as error:
            return unread(str(image), self._predictor, error)
        return self._computing.submit(_prediction, image, self._predictor, content).result()

    def _earlier(self, image: object) -> Prediction | None:
        return None if self._kept is None else self._kept.find(name_of(image))


def _prediction(
    image: str | ImageFile | bytes | RemoteImage,
    predictor: Predictor,
    content: bytes | None = None,
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
