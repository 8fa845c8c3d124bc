"""Compute the weight of each class in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.text import first_few

_BETA = 0.999  # the value of the paper for about 1,000 images per class


def class_weights(
    wanted: Mapping[str, float] | str | None, labels: np.ndarray, class_names: Sequence[str]
) -> np.ndarray | None:
    """Return the weight of each class in label order, None for no weights.

    Both rules give an average of 1 over the training images, so that a learning rate that was good
    without weights stays good. With n images in total and m in the class, `auto` is the inverse
    frequency n / (classes * m), the same as "balanced" in scikit-learn. `effective_number` is
    proportional to (1 - b) / (1 - b ** m) with b = 0.999: close to `auto` for classes far below
    1,000 images, and close to equal weights far above.

    Args:
        wanted: a weight by class name (1 for a class that is not named), `auto`,
            `effective_number` or None.
        labels: (num_images,) integers, of the training images.
        class_names: in label order.

    Raises:
        UsageError: a weight is given for a class that is not in the data.

    Source: Cui et al. 2019, Class-Balanced Loss Based on Effective Number of Samples,
    arXiv:1901.05555.

    >>> class_weights("auto", [0, 0, 0, 1], ["cat", "dog"]).round(3).tolist()
    [0.667, 2.0]
    """
    if wanted is None:
        return None
    if isinstance(wanted, Mapping):
        return _by_name(wanted, class_names)
    # A class may have no training image: one avoids dividing by zero.
    counts = np.maximum(np.bincount(labels, minlength=len(class_names)), 1)
    weights = 1 / counts if wanted == "auto" else (1 - _BETA) / (1 - _BETA**counts)
    # The mean over all images becomes 1, so that the loss keeps its size and the learning rate its
    # meaning.
    return weights * counts.sum() / (weights * counts).sum()


def _by_name(wanted: Mapping[str, float], class_names: Sequence[str]) -> np.ndarray:
    for name in wanted:
        if name not in class_names:
            raise UsageError(
                f"training.class_weights names the class {name!r}, which is not in the data."
                f"{did_you_mean(name, class_names)} Classes: {first_few(class_names, 20)}."
            )
    return np.array([wanted.get(name, 1.0) for name in class_names])
