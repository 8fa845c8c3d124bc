"""`training.class_weights` and the training labels enter; one weight a class leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnkit.errors import UsageError, did_you_mean

_BETA = 0.999


def class_weights(
    wanted: Mapping[str, float] | str | None, labels: np.ndarray, class_names: Sequence[str]
) -> np.ndarray | None:
    """Return the weight of each class in label order, None for no weights.

    Both rules give an average of 1 over the training images, so that the learning rate keeps its
    meaning. `auto` is inverse frequency, n / (classes * m), scikit-learn's "balanced", of n images
    in all and m in the class. `effective_number` is in proportion to (1 - b) / (1 - b ** m) with
    b = 0.999: nearly `auto` for classes far below 1,000 images, nearly equal weights far above.

    Args:
        wanted: a weight by name (1 where none is given), `auto`, `effective_number` or None.
        labels: (num_images,) integers, of the training images.
        class_names: in label order.

    Raises:
        UsageError: a weight is given for a class that the data does not have.

    Source: Cui et al. 2019, Class-Balanced Loss Based on Effective Number of Samples,
    arXiv:1901.05555.

    >>> class_weights("auto", [0, 0, 0, 1], ["cat", "dog"]).round(3).tolist()
    [0.667, 2.0]
    """
    if wanted is None:
        return None
    if isinstance(wanted, Mapping):
        return _by_name(wanted, class_names)
    counts = np.maximum(np.bincount(labels, minlength=len(class_names)), 1)
    weights = 1 / counts if wanted == "auto" else (1 - _BETA) / (1 - _BETA**counts)
    return weights * counts.sum() / (weights * counts).sum()


def _by_name(wanted: Mapping[str, float], class_names: Sequence[str]) -> np.ndarray:
    for name in wanted:
        if name not in class_names:
            raise UsageError(
                f"training.class_weights names the class {name!r}, which the data does not have."
                f"{did_you_mean(name, class_names)} Classes: {', '.join(class_names)}."
            )
    return np.array([wanted.get(name, 1.0) for name in class_names])
