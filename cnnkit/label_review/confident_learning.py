"""Rank images by how probably their label is wrong, from out-of-sample probabilities. NumPy only.

Source: Northcutt, Jiang and Chuang 2021, arXiv:1911.00068; the numbers are those of cleanlab 2.9.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def self_confidence(*, labels: ArrayLike, probabilities: ArrayLike) -> NDArray:
    """Return the probability (num_images,) of each image's own label; the smaller, the worse.

    Args:
        labels: (num_images,) integers in [0, num_classes), perhaps wrong.
        probabilities: (num_images, num_classes), of a model that has not seen the image.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    return probabilities[np.arange(len(labels)), labels]


def confidently_other(*, labels: ArrayLike, probabilities: ArrayLike) -> NDArray:
    """Return (num_images,) whether an image confidently belongs to another class than its label.

    A class is confident about an image if its probability is at least the mean probability that
    the class has among the images with its label. So a class that the model is often unsure of asks
    for less. If several classes are confident, the most probable class of all counts. An image
    whose label is its most probable class is never one of them.

    Args:
        labels: (num_images,) integers in [0, num_classes), perhaps wrong.
        probabilities: (num_images, num_classes), of a model that has not seen the image.

    >>> confidently_other(labels=[0, 0, 1], probabilities=[[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    array([False,  True, False])
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    num_classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=num_classes)
    # A class without images is never confident.
    means = np.full(num_classes, np.inf)
    np.divide(np.bincount(labels, own, minlength=num_classes), counts, out=means, where=counts > 0)
    confident, most_probable = probabilities >= means - 1e-6, probabilities.argmax(axis=1)
    number = confident.sum(axis=1)
    guess = np.where(number > 1, most_probable, confident.argmax(axis=1))
    return (number > 0) & (guess != labels) & (most_probable != labels)
