"""An epoch that was stopped between two of its steps, and goes on after a resume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PartialEpoch:
    """What the rest of an epoch depends on besides the weights.

    Args:
        phase: in which it is, from 1.
        epoch: its number, from 1, over all phases.
        images: that were learned from.
        num_images: of the whole epoch.
        seconds: of training so far.
        logs: loss and metrics of these images under Keras's names.
        metrics: values of the variables of the metrics, from which Keras computes the next `logs`;
            empty if all images were learned from.
    """

    phase: int
    epoch: int
    images: int
    num_images: int
    seconds: float
    logs: dict[str, float]
    metrics: Sequence[np.ndarray]

    def steps(self, batch_size: int) -> int:
        """Return how many steps are done; rounded up, if it was trained with other batches."""
        return math.ceil(self.images / batch_size)

    @property
    def place(self) -> str:
        """Where it is, as in `in epoch 4 after 640 of 2,000 images`."""
        if self.images >= self.num_images:
            return f"in the validation of epoch {self.epoch}"
        return f"in epoch {self.epoch} after {self.images:,} of {self.num_images:,} images"

    def facts(self) -> dict[str, Any]:
        """Return all that is not an array, for JSON."""
        return {name: value for name, value in vars(self).items() if name != "metrics"}
