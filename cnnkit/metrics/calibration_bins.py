"""Whether a confidence of 0.8 means that 80% of the answers are right: bins of confidence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class CalibrationBins:
    """Images grouped by confidence, into bins of equal width that include their left edge.

    Args:
        confidence: (num_images,) the largest probability of each image.
        is_correct: (num_images,) whether its class is the true one.
        num_bins: the calibration error depends on it, so report both.
    """

    confidence: NDArray[Any]
    is_correct: NDArray[Any]
    num_bins: int = 15

    @cached_property
    def places(self) -> NDArray[Any]:
        """(num_images,) the bin of each image."""
        bins = (self.confidence.astype(np.float64) * self.num_bins).astype(int)
        return np.minimum(bins, self.num_bins - 1)  # 1.0 is in the last one

    @cached_property
    def images(self) -> NDArray[Any]:
        """(num_bins,) numbers of images."""
        return np.bincount(self.places, minlength=self.num_bins)

    @cached_property
    def mean_confidence(self) -> NDArray[Any]:
        """(num_bins,) means; NaN without images."""
        return self._means(self.confidence)

    @cached_property
    def accuracy(self) -> NDArray[Any]:
        """(num_bins,) shares of right answers; NaN without images."""
        return self._means(self.is_correct)

    @property
    def error(self) -> float:
        """The expected calibration error (ECE), a number in [0, 1]; 0 is perfect.

        It is the gap between confidence and accuracy, averaged over the bins with the number of
        images in each as weight.

        Source: Guo et al. 2017, arXiv:1706.04599.
        """
        gaps = np.abs(self.accuracy - self.mean_confidence)
        return float(np.nansum(gaps * self.images) / self.images.sum())

    def as_list(self) -> list[dict[str, Any]]:
        """Return the bins that have images, ready for JSON."""
        edges = np.arange(self.num_bins + 1) / self.num_bins
        return [
            {
                "from": edges[place].item(),
                "to": edges[place + 1].item(),
                "images": self.images[place].item(),
                "confidence": self.mean_confidence[place].item(),
                "accuracy": self.accuracy[place].item(),
            }
            for place in np.flatnonzero(self.images)
        ]

    def _means(self, values: NDArray[Any]) -> NDArray[Any]:
        sums = np.bincount(self.places, values, minlength=self.num_bins)
        return np.divide(
            sums, self.images, out=np.full(self.num_bins, np.nan), where=self.images > 0
        )


def calibration_error(*, labels: ArrayLike, probabilities: ArrayLike, num_bins: int = 15) -> float:
    """Return the expected calibration error (ECE), as `CalibrationBins.error` explains it.

    >>> calibration_error(labels=[0, 0], probabilities=[[0.75, 0.25], [0.25, 0.75]], num_bins=10)
    0.25
    """
    probabilities = np.asarray(probabilities)
    is_correct = probabilities.argmax(axis=1) == np.asarray(labels)
    return CalibrationBins(probabilities.max(axis=1), is_correct, num_bins).error
