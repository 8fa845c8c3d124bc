"""The answers of a model to images with known labels, and what a calibration makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from cnnkit.calibration.thresholds import RiskCoverage, risk_coverage
from cnnkit.metrics import calibration_error, log_loss
from cnnkit.model.calibration import Calibration


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says about the images of one split.

    Args:
        labels: (num_images,) integers.
        logits: (num_images, num_classes), before any calibration.
        distances: (num_images,) of the features from those of training images.
    """

    labels: NDArray
    logits: NDArray
    distances: NDArray

    @cached_property
    def predicted(self) -> NDArray:
        """(num_images,) labels of the most probable classes; no temperature changes them."""
        return self.logits.argmax(axis=1)

    @property
    def is_correct(self) -> NDArray:
        """(num_images,) whether the most probable class is the true one."""
        return self.predicted == self.labels

    def probabilities(self, temperature: float) -> NDArray:
        """Return (num_images, num_classes) at a temperature."""
        return softmax(self.logits / temperature, axis=1)

    def confidences(self, temperature: float, largest_distance: float) -> NDArray:
        """Return (num_images,) probabilities of the answers.

        It is 0 for images that are too far away, so that every threshold refuses them first.
        """
        is_near = self.distances <= largest_distance
        return np.where(is_near, self.probabilities(temperature).max(axis=1), 0.0)

    def curve(self, temperature: float) -> RiskCoverage:
        """Return the risk-coverage curve of the probabilities, without the distance."""
        return risk_coverage(self.probabilities(temperature).max(axis=1), self.is_correct)

    def measured(self, calibration: Calibration) -> dict[str, Any]:
        """Return the numbers before and after the calibration, ready for JSON.

        `coverage` is the share of the images that get an answer, `precision` the share of these
        answers that is right (None if there are none), `accepted` the share of the images whose
        distance is accepted, and `aurc` the area under the risk-coverage curve.
        """
        before, after = (self.probabilities(each) for each in (1.0, calibration.temperature))
        # A class that is never answered has no threshold that a probability could reach.
        thresholds = np.array([np.inf if t is None else t for t in calibration.thresholds])
        is_near = self.distances <= calibration.largest_distance
        is_answered = is_near & (after.max(axis=1) >= thresholds[self.predicted])
        right = self.is_correct[is_answered]
        return {
            "num_images": len(self.labels),
            "accuracy": float(self.is_correct.mean()),
            "ece_before": calibration_error(labels=self.labels, probabilities=before),
            "ece": calibration_error(labels=self.labels, probabilities=after),
            "log_loss_before": log_loss(labels=self.labels, probabilities=before),
            "log_loss": log_loss(labels=self.labels, probabilities=after),
            "aurc": self.curve(calibration.temperature).area,
            "accepted": float(is_near.mean()),
            "coverage": float(is_answered.mean()),
            "precision": float(right.mean()) if len(right) else None,
        }
