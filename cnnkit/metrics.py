"""Metrics of probabilities and true labels. NumPy only: importable without Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# With more classes a matrix of them can neither be read nor drawn, and with 3,000 it has 9 million
# cells: then it gets a file of its own, and what lists every class shows only some of them.
MOST_CLASSES_IN_FULL = 60


def confusion_matrix(*, labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> np.ndarray:
    """Return counts (num_classes, num_classes): a row per true class, a column per predicted one.

    >>> confusion_matrix(labels=[0, 0, 1], predictions=[0, 1, 1], num_classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    flat = labels * num_classes + predictions  # the position in the flattened matrix
    return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def accuracy(*, labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the share of images whose most probable class is the true one.

    >>> accuracy(labels=[0, 1], probabilities=[[0.9, 0.1], [0.6, 0.4]])
    0.5
    """
    return float(np.mean(np.argmax(probabilities, axis=1) == np.asarray(labels)))


def top_k_accuracy(*, labels: ArrayLike, probabilities: ArrayLike, k: int) -> float:
    """Return the share of images whose true class is among the `k` most probable ones.

    If probabilities are equal, the class that comes first ranks higher, as in argmax. So `k=1`
    gives the accuracy.

    >>> top_k_accuracy(labels=[2, 0], probabilities=[[0.5, 0.3, 0.2], [0.2, 0.7, 0.1]], k=2)
    0.5
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)[:, None]
    true = np.take_along_axis(probabilities, labels, axis=1)
    # Counting what ranks higher is ten times as fast as sorting a thousand classes.
    earlier = np.arange(probabilities.shape[1]) < labels
    rank = (probabilities > true).sum(axis=1) + ((probabilities == true) & earlier).sum(axis=1)
    return float(np.mean(rank < k))


def log_loss(*, labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean of -ln p(true class), in nats; p is at least 1e-7, as in Keras.

    >>> round(log_loss(labels=[0], probabilities=[[0.5, 0.5]]), 4)
    0.6931
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(true, 1e-7, 1.0)).mean())


def calibration_error(*, labels: ArrayLike, probabilities: ArrayLike, num_bins: int = 15) -> float:
    """Return the expected calibration error (ECE), a number in [0, 1]; 0 is perfect.

    Images are grouped by confidence (their largest probability) into `num_bins` bins of equal
    width. The result is the gap between confidence and accuracy, averaged over the bins with the
    number of images in each as weight.

    Source: Guo et al. 2017, arXiv:1706.04599. Our bins include their left edge.

    >>> calibration_error(labels=[0, 0], probabilities=[[0.75, 0.25], [0.25, 0.75]], num_bins=10)
    0.25
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)  # 1.0 -> last bin
    # The gap of a bin times its number of images: the sum over its images, with their signs.
    gap = np.bincount(bins, correct - confidence, minlength=num_bins)
    return float(np.abs(gap).sum() / len(labels))


def class_metrics(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Return precision, recall, f1 and support, each (num_classes,), of a confusion matrix.

    A class that is never predicted has precision 0, and a class without images has recall 0, as
    with scikit-learn's `zero_division=0`.
    """
    hits = np.diag(matrix).astype(float)
    support, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2 * hits, support + predicted),
        "support": support,
    }


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


def all_metrics(
    *, labels: ArrayLike, probabilities: ArrayLike, class_names: tuple[str, ...]
) -> dict[str, Any]:
    """Return every number of an evaluation, ready for JSON.

    Balanced accuracy and macro F1 are means over the classes that have images. `top5_accuracy` is
    included only if there are more than five classes, and `confusion_matrix` only if there are at
    most `MOST_CLASSES_IN_FULL`.

    Args:
        labels: (num_images,) integers in [0, num_classes).
        probabilities: (num_images, num_classes) floats; every row sums to 1.
        class_names: ordered by label.

    Raises:
        ValueError: there is no image, the shapes disagree, or a row does not sum to 1.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check(labels, probabilities, len(class_names))
    matrix = confusion_matrix(
        labels=labels, predictions=probabilities.argmax(axis=1), num_classes=len(class_names)
    )
    by_class = class_metrics(matrix)
    # A class without an image has no recall, and must not count as one that is always missed.
    present = by_class["support"] > 0
    result: dict[str, Any] = {
        "num_images": len(labels),
        "accuracy": accuracy(labels=labels, probabilities=probabilities),
        "balanced_accuracy": float(by_class["recall"][present].mean()),
        "macro_f1": float(by_class["f1"][present].mean()),
        "log_loss": log_loss(labels=labels, probabilities=probabilities),
        "ece": calibration_error(labels=labels, probabilities=probabilities),
        "per_class": {
            name: {key: values[label].item() for key, values in by_class.items()}
            for label, name in enumerate(class_names)
        },
    }
    if len(class_names) <= MOST_CLASSES_IN_FULL:
        result["confusion_matrix"] = matrix.tolist()
    # With five classes or fewer it would always be 1.
    if len(class_names) > 5:
        result["top5_accuracy"] = top_k_accuracy(labels=labels, probabilities=probabilities, k=5)
    return result


def _check(labels: np.ndarray, probabilities: np.ndarray, num_classes: int) -> None:
    if not len(labels) or probabilities.shape != (len(labels), num_classes):
        raise ValueError(
            f"all_metrics needs labels (num_images,) and probabilities (num_images, {num_classes}) "
            f"of at least one image; received {labels.shape} and {probabilities.shape}."
        )
    sums = probabilities.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1)))
    if not np.isclose(sums[worst], 1, atol=1e-3):
        raise ValueError(
            f"Row {worst} of probabilities sums to {sums[worst]:.3f}, not 1. "
            "If these are logits, apply softmax first."
        )


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
