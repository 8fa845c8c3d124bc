"""Metrics of counts: which class was answered how often for images of which class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confusion_matrix(*, labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> np.ndarray:
    """Return counts (num_classes, num_classes): a row per true class, a column per predicted one.

    >>> confusion_matrix(labels=[0, 0, 1], predictions=[0, 1, 1], num_classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    flat = labels * num_classes + predictions  # the position in the flattened matrix
    return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def most_confused(matrix: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """Return up to `limit` pairs (true, predicted) of different classes, the commonest first.

    Pairs that are equally common are in the order of the labels.

    >>> most_confused(np.array([[5, 0, 2], [3, 5, 0], [2, 0, 5]]), 2)
    [(1, 0), (0, 2)]
    """
    rows, columns = np.nonzero(matrix)
    wrong = rows != columns
    rows, columns = rows[wrong], columns[wrong]
    order = np.argsort(-matrix[rows, columns], kind="stable")[:limit]
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))


def class_metrics(matrix: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return precision, recall, f1 and support, each (num_classes,), of a confusion matrix.

    A class that is never predicted has precision 0, and a class without images has recall 0, as
    with scikit-learn's `zero_division=0`.
    """
    counts = CountMetrics(np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0))
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "support": matrix.sum(axis=1),
    }


class CountMetrics:
    """What the numbers of right answers and of answers say; of one set of images, or of many.

    The arrays have any leading axes, for example one for the resamples of a bootstrap.

    Args:
        hits: (..., num_classes) images of each class that were answered right.
        support: (..., num_classes) images of each class.
        predicted: (..., num_classes) images that were answered with each class.
    """

    def __init__(self, hits: ArrayLike, support: ArrayLike, predicted: ArrayLike) -> None:
        # Floats: products of counts of many images are larger than the largest integer.
        self.hits = np.asarray(hits, np.float64)
        self.support = np.asarray(support, np.float64)
        self.predicted = np.asarray(predicted, np.float64)

    @property
    def precision(self) -> NDArray[Any]:
        """(..., num_classes) share of the answers with a class that are right; 0 without any."""
        return _ratio(self.hits, self.predicted)

    @property
    def recall(self) -> NDArray[Any]:
        """(..., num_classes) share of the images of a class that are right; 0 without any."""
        return _ratio(self.hits, self.support)

    @property
    def f1(self) -> NDArray[Any]:
        """(..., num_classes) harmonic means of precision and recall."""
        return _ratio(2 * self.hits, self.support + self.predicted)

    def headline(self) -> dict[str, NDArray[Any]]:
        """Return one number (...) per metric, under the name that it has in metrics.json.

        Means over classes are over those that have images: a class without an image has no recall,
        and must not count as one that is always missed. Cohen's kappa is NaN if all images and all
        answers are of one class; Matthews correlation is then 0, as in scikit-learn.

        Source of the Matthews correlation of several classes: Gorodkin 2004,
        doi:10.1016/j.compbiolchem.2004.09.006.
        """
        present = self.support > 0
        num_present = present.sum(axis=-1)
        total = self.support.sum(axis=-1)
        right = self.hits.sum(axis=-1)
        by_chance = (self.support * self.predicted).sum(axis=-1)  # times the number of images
        spread = (total**2 - (self.support**2).sum(axis=-1)) * (
            total**2 - (self.predicted**2).sum(axis=-1)
        )
        f1 = self.f1
        return {
            "accuracy": right / total,
            "balanced_accuracy": (self.recall * present).sum(axis=-1) / num_present,
            "macro_f1": (f1 * present).sum(axis=-1) / num_present,
            "weighted_f1": (f1 * self.support).sum(axis=-1) / total,
            "cohen_kappa": _ratio(right * total - by_chance, total**2 - by_chance, np.nan),
            "matthews_corrcoef": _ratio(
                right * total - by_chance, np.sqrt(np.maximum(spread, 0)), 0.0
            ),
        }


def _ratio(
    numerator: NDArray[Any], denominator: NDArray[Any], undefined: float = 0.0
) -> NDArray[Any]:
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, undefined)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)
