"""Thresholds on the probability of an answer, for a wanted precision or coverage. NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# From confidences and whether each answer is right to the threshold, None for "never answer".
FindThreshold = Callable[[NDArray, NDArray], float | None]


def threshold_for_precision(
    confidences: ArrayLike, is_correct: ArrayLike, precision: float
) -> float | None:
    """Return the smallest threshold above which the wanted share of answers is right.

    It is in the middle between the last confidence that is accepted and the first that is not, 0
    if all are accepted, and None if no threshold is high enough.

    Args:
        confidences: (num_images,) probabilities of the answers.
        is_correct: (num_images,) whether each answer is right.
        precision: the wanted share, in (0, 1].

    >>> threshold_for_precision([0.9, 0.8, 0.6, 0.4], [True, True, False, True], 0.9)
    0.7
    """
    curve = risk_coverage(confidences, is_correct)
    good = np.flatnonzero(1 - curve.risks >= precision - 1e-12)
    return curve.threshold_after(good[-1]) if len(good) else None


def threshold_for_coverage(
    confidences: ArrayLike, is_correct: ArrayLike, coverage: float
) -> float | None:
    """Return the largest threshold with which at least a wanted share of images is answered.

    Args:
        confidences: (num_images,) probabilities of the answers.
        is_correct: (num_images,) whether each answer is right; only its length matters.
        coverage: the wanted share, in (0, 1].

    >>> threshold_for_coverage([0.9, 0.8, 0.6, 0.4], [True] * 4, 0.5)
    0.7
    """
    curve = risk_coverage(confidences, is_correct)
    return curve.threshold_after(int(np.argmax(curve.coverages >= coverage - 1e-12)))


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """What is answered, and how much of it is wrong, for every threshold.

    Args:
        confidences: the distinct ones, the largest first: each is a threshold.
        coverages: the share of the images that are answered with each threshold.
        risks: the share of these answers that are wrong.
    """

    confidences: NDArray
    coverages: NDArray
    risks: NDArray

    def threshold_after(self, position: int) -> float:
        """Return a threshold that accepts the confidences up to a position, and no more."""
        if position + 1 == len(self.confidences):
            return 0.0
        # Not one of the two: another runtime may round it to the other side.
        return float((self.confidences[position] + self.confidences[position + 1]) / 2)

    @property
    def area(self) -> float:
        """The area under the curve, AURC: the mean risk over all thresholds; 0 is perfect.

        Source: Geifman and El-Yaniv 2017, arXiv:1705.08500.
        """
        steps = np.diff(self.coverages, prepend=0.0)
        return float((steps * self.risks).sum())


def risk_coverage(confidences: ArrayLike, is_correct: ArrayLike) -> RiskCoverage:
    """Return the risk-coverage curve.

    Args:
        confidences: (num_images,) probabilities of the answers; at least one.
        is_correct: (num_images,) whether each answer is right.

    >>> risk_coverage([0.9, 0.6, 0.6], [True, False, True]).risks.round(2).tolist()
    [0.0, 0.33]
    """
    confidences, is_correct = np.asarray(confidences, np.float64), np.asarray(is_correct, bool)
    order = np.argsort(-confidences, kind="stable")
    sorted_confidences = confidences[order]
    # A threshold cannot divide equal confidences, so only the last of them counts.
    last = np.flatnonzero(np.append(np.diff(sorted_confidences) != 0, True))
    answered = last + 1
    wrong = np.cumsum(~is_correct[order])[last]
    return RiskCoverage(sorted_confidences[last], answered / len(confidences), wrong / answered)


def class_thresholds(
    confidences: NDArray,
    predicted: NDArray,
    is_correct: NDArray,
    find: FindThreshold,
    num_classes: int,
    *,
    least: int,
) -> tuple[tuple[float | None, ...], list[int]]:
    """Return a threshold per class, and the classes that have too few answers for one of their own.

    These get the threshold of all images.

    Args:
        confidences: (num_images,) probabilities of the answers.
        predicted: (num_images,) labels of the answers.
        is_correct: (num_images,) whether each answer is right.
        find: one of the functions above, for the wanted precision or coverage.
        num_classes: how many classes there are.
        least: how many answers a class needs for a threshold of its own.
    """
    common = find(confidences, is_correct)
    counts = np.bincount(predicted, minlength=num_classes)
    found = [
        find(confidences[predicted == label], is_correct[predicted == label])
        if count >= least
        else common
        for label, count in enumerate(counts)
    ]
    return tuple(found), np.flatnonzero(counts < least).tolist()
