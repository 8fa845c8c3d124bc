"""Predict a stream of images, in order.

Threads read and answer a few images ahead, so memory does not grow with their number. A file that
cannot be read gives a prediction with an error, and the next image follows.
"""

from __future__ import annotations

import glob
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.sources.folder_walk import image_files
from cnnkit.data.sources.ignored import SYSTEM, Ignored, is_system
from cnnkit.errors import ImageError
from cnnkit.model.calibration import UNKNOWN
from cnnkit.runtimes import Predictor
from cnnkit.text import is_web_address

Image = TypeVar("Image")
Result = TypeVar("Result")

_END = object()  # put into the queue after the last image


class NoImages(str):
    """A folder or glob that gives no image. Its prediction has the reason as its error."""

    reason: str

    def __new__(cls, pattern: str, reason: str) -> NoImages:
        """Return the pattern, with the attribute `reason`."""
        made = super().__new__(cls, pattern)
        made.reason = reason
        return made


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
    """

    path: str
    class_names: tuple[str, ...]
    probabilities: NDArray | None = None
    error: str | None = None
    distance: float | None = None
    reason: str | None = None

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


def predict(
    predictor: Predictor, images: Iterable[str | ImageFile | bytes]
) -> Iterator[Prediction]:
    """Yield one prediction per image, in order.

    Args:
        predictor: the model.
        images: paths, files inside other files, or the bytes of an image file. In a sequence of
            one image, all cores work on it; otherwise each core has an image of its own.
    """
    if isinstance(images, Sequence) and len(images) == 1:
        yield _prediction(images[0], predictor)
        return
    answer = partial(_prediction, predictor=predictor.for_threads())
    for _, future in read_ahead(images, answer):
        yield future.result()


def _prediction(image: str | ImageFile | bytes, predictor: Predictor) -> Prediction:
    """Read one image and answer it alone: an answer must not depend on others of its batch."""
    info, name = predictor.info, name_of(image)
    try:
        pixels = pixels_of(image, info.pixels)
    except ImageError as error:
        return Prediction(name, info.class_names, error=str(error))
    probabilities, distances = predictor.answers(pixels[np.newaxis])
    distance = None if distances is None else float(distances[0])
    reason = None
    if info.calibration is not None:
        reason = info.calibration.refusal(probabilities[0], distance, info.class_names)
    return Prediction(name, info.class_names, probabilities[0], distance=distance, reason=reason)


def name_of(image: object) -> str:
    """Return the name of an image in answers: its path, or `-` for bytes."""
    return "-" if isinstance(image, bytes) else str(image)


def find_images(patterns: Iterable[str], ignored: Ignored | None = None) -> Iterator[str]:
    """Yield the image files for each pattern: a file itself, a folder's images, a glob's matches.

    A pattern that gives no image is yielded unchanged: its prediction then says why.

    Args:
        patterns: paths of files and folders, and globs.
        ignored: gets the files and folders inside the given folders that are not images.
    """
    ignored = Ignored() if ignored is None else ignored
    for pattern in patterns:
        if os.path.isdir(pattern):
            yield from image_files(pattern, ignored) or [
                NoImages(pattern, "the folder contains no images")
            ]
        # `a[1].jpg` may be the name of a file, and the `?` of a web address is no pattern.
        elif glob.has_magic(pattern) and not (os.path.lexists(pattern) or is_web_address(pattern)):
            literal = pattern.replace("[", "[[]")  # of a folder such as `photos [2024]`
            yield from (
                _matches(pattern, ignored)
                or _matches(literal, ignored)
                or [NoImages(pattern, "no file matches this pattern")]
            )
        else:
            yield pattern


def _matches(pattern: str, ignored: Ignored) -> list[str]:
    """Return what a glob matches, sorted, because its own order is that of the file system.

    A glob matches no hidden files, so it skips those of the system as well, unless it names them.
    """
    found = []
    named = set(pattern.split(os.sep))
    for path in sorted(glob.iglob(pattern, recursive=True)):
        hidden = [part for part in path.split(os.sep) if part not in named and is_system(part)]
        if hidden:
            ignored.add(SYSTEM, path)
        else:
            found.append(path)
    return found


def read_ahead(
    images: Iterable[Image], read: Callable[[Image], Result]
) -> Iterator[tuple[str, Future[Result]]]:
    """Yield (name, future of what `read` returns) for each image, in order.

    The images come from a thread of their own, because asking for the next one may block: paths on
    stdin may arrive slowly, and the answers so far should not wait for them.
    """
    workers = os.cpu_count() or 1
    # Twice the workers: while one result is used, each worker has a next image to begin with.
    waiting: queue.Queue = queue.Queue(maxsize=2 * workers)
    stopped = threading.Event()

    def feed(pool: ThreadPoolExecutor) -> None:
        try:
            for image in images:
                waiting.put((name_of(image), pool.submit(read, image)))
                if stopped.is_set():
                    return
        except BaseException as error:  # passed on: the consumer raises it
            waiting.put(error)
        else:
            waiting.put(_END)

    with ThreadPoolExecutor(workers) as pool:
        # A daemon: it may be waiting for a line of standard input that never comes.
        threading.Thread(target=feed, args=(pool,), daemon=True).start()
        try:
            while (item := waiting.get()) is not _END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            # The feeder may wait for a free place in the queue: make room, so that it can stop.
            while not waiting.empty():
                waiting.get_nowait()


def pixels_of(image: str | ImageFile | bytes, settings: PixelSettings) -> NDArray:
    """Return the uint8 pixels (height, width, channels) of an image that `find_images` gave.

    Raises:
        ImageError: it cannot be read, or there is none.
    """
    if isinstance(image, NoImages):
        raise ImageError(image.reason, kind="unreadable_file")
    return read_pixels(image, settings)
