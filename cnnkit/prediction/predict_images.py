"""Predict a stream of images, in order.

Threads read and answer a few images ahead, so memory does not grow with their number. A file that
cannot be read gives a prediction with an error, and the next image follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.errors import ImageError
from cnnkit.model.calibration import UNKNOWN
from cnnkit.prediction.find_images import name_of, pixels_of
from cnnkit.prediction.read_ahead import read_ahead
from cnnkit.runtimes import Predictor


@dataclass(frozen=True)
class Prediction:
    """The answer for one image: probabilities, or the reason why there are none.

    Args:
        path: as the user gave it; `-` for an image that was given as bytes.
        class_names: in label order.
        probabilities: (num_classes,); None if the image cannot be read.
        error: why it cannot be read; None if it can.
        kind: the kind of fault, as `cnnkit data check` reports it; None if it can be read.
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


def predict(
    predictor: Predictor,
    images: Iterable[str | ImageFile | bytes],
    kept: Kept | None = None,
) -> Iterator[Prediction]:
    """Yield one prediction per image, in order.

    Args:
        predictor: the model.
        images: paths, files inside other files, or the bytes of an image file. In a sequence of
            one image, all cores work on it; otherwise each core has an image of its own.
        kept: has answers that are not computed again, and gets the others.
    """
    if isinstance(images, Sequence) and len(images) == 1:
        yield _prediction(images[0], predictor)
        return
    for_threads = predictor.for_threads()

    def answer(image: str | ImageFile | bytes) -> Prediction:
        earlier = None if kept is None else kept.find(name_of(image))
        return earlier or _prediction(image, for_threads)

    for _, future in read_ahead(images, answer):
        prediction = future.result()
        if kept is not None:
            kept.add(prediction)
        yield prediction


def _prediction(image: str | ImageFile | bytes, predictor: Predictor) -> Prediction:
    """Read one image and answer it alone: an answer must not depend on others of its batch."""
    name = name_of(image)
    try:
        pixels = pixels_of(image, predictor.info.pixels)
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
