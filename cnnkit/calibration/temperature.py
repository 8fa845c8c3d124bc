"""Fit the temperature that makes probabilities honest. SciPy only: importable without Keras."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

# Of log T. Far from any temperature of a network; the search needs ends.
_BOUNDS = (math.log(1e-3), math.log(1e3))


def fit_temperature(*, logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature T for which softmax(logits / T) fits the labels best.

    A model that is too sure of itself has T > 1, one that is too hesitant T < 1. T minimises the
    sum of -ln p(true class) plus (ln T)^2 / 2. The last term says that T is probably between 1/3
    and 3: it hardly matters for a hundred images, but without it T would become 0 if the model is
    right about all of them.

    Args:
        logits: (num_images, num_classes), of images that the model was not trained on.
        labels: (num_images,) integers in [0, num_classes).

    Source: Guo et al. 2017, arXiv:1706.04599.

    >>> round(fit_temperature(logits=[[4, 0]] * 3 + [[0, 4]], labels=[0, 0, 0, 0]), 2)
    2.21
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        log_p = log_softmax(logits / math.exp(log_temperature), axis=1)
        return -log_p[rows, labels].sum() + log_temperature**2 / 2

    found = minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options={"xatol": 1e-6})
    return float(math.exp(found.x))
