"""When a model may answer: its temperature, its thresholds, and its largest distance.

`cnnkit calibrate` finds these numbers, and every file of a calibrated model contains them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.text import shown

UNKNOWN = "unknown"  # the answer for an image that is not accepted


@dataclass(frozen=True)
class Calibration:
    """The numbers that decide whether an answer is given.

    Args:
        temperature: what the model divides its logits by. The files of a calibrated model do that
            themselves; their probabilities need no more of it.
        thresholds: for each class in label order, the smallest probability with which it is an
            answer; None for a class that is never answered.
        largest_distance: of the features of an image from those of the training images; a picture
            that is farther away is of another kind.
    """

    temperature: float
    thresholds: tuple[float | None, ...]
    largest_distance: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "temperature": self.temperature,
            "thresholds": list(self.thresholds),
            "largest_distance": self.largest_distance,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `as_dict` has written."""
        return cls(
            float(values["temperature"]),
            tuple(values["thresholds"]),
            float(values["largest_distance"]),
        )

    def refusal(
        self, probabilities: NDArray, distance: float | None, class_names: Sequence[str]
    ) -> str | None:
        """Return why an image gets no answer, None if it gets one.

        Args:
            probabilities: (num_classes,), calibrated.
            distance: of its features; None if it is not known, and then not checked.
            class_names: in label order.
        """
        if distance is not None and not distance <= self.largest_distance:
            return (
                f"unlike the training images: distance {distance:.3f}, at most "
                f"{self.largest_distance:.3f} is accepted"
            )
        label = int(np.argmax(probabilities))
        name, threshold = shown(class_names[label]), self.thresholds[label]
        if threshold is None:
            return f"perhaps {name}, but no answer {name} was reliable enough on validation"
        if probabilities[label] < threshold:
            return (
                f"not sure enough: {name} has probability {probabilities[label]:.3f}, at least "
                f"{threshold:.3f} is needed"
            )
        return None


def with_temperature(probabilities: NDArray, temperature: float) -> NDArray:
    """Return the probabilities (num_images, num_classes) at another temperature.

    They are softmax(log p / temperature), which is softmax(logits / temperature): the logits are
    log p up to a constant. The order of the classes stays the same.

    >>> with_temperature(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    with np.errstate(divide="ignore"):  # log 0 is -inf, and gives 0 again
        logits = np.log(np.asarray(probabilities, np.float64)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
