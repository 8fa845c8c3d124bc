"""A head on features enters; its output layer leaves as logistic regression finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from cnnkit.progress import Report

if TYPE_CHECKING:
    from cnnkit.training.feature_batches import FeatureFeed

# Inverse strengths of the penalty that are tried, from strong to weak.
_STRENGTHS = tuple(10.0**power for power in range(-4, 4))
_MOST_STEPS = 1000


def fit_probe(
    head: Any, feed: FeatureFeed, report: Report, interrupt_if_asked: Callable[[], None]
) -> None:
    """Give the output layer of a head the weights of scikit-learn's logistic regression.

    Features are brought to mean 0 and deviation 1 first; that is worked into the weights. Of eight
    strengths of the L2 penalty the one with the smallest validation loss is taken, 1 where there
    are no validation images.

    Args:
        head: the output layer, the only one with weights.
        feed: of the features that enter it.
        report: is told which strength was taken.
        interrupt_if_asked: called between two strengths.
    """
    output = head.layers[-1]
    features, labels = feed.arrays("train")
    features = features.astype(np.float64)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation < 1e-6] = 1.0
    scaled = (features - mean) / deviation
    held_out = feed.arrays("validation") if feed.validation() is not None else None
    if held_out is not None:
        held_out = ((held_out[0] - mean) / deviation, held_out[1])
    with threadpool_limits(1, "blas"):  # threads wait for each other where other work goes on
        found, strength = _best(scaled, labels, held_out, feed, interrupt_if_asked)
    report.note(f"linear probe: C = {strength:g}")
    kernel, bias = _of_all_classes(found, output)
    kernel = kernel / deviation[:, None]
    output.set_weights([kernel, bias - mean @ kernel])


def _best(
    features: np.ndarray,
    labels: np.ndarray,
    held_out: Any,
    feed: FeatureFeed,
    interrupt_if_asked: Callable[[], None],
) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    weights = feed.label_weights()
    best = (np.inf, None, 1.0)
    for strength in _STRENGTHS if held_out is not None else (1.0,):
        interrupt_if_asked()
        found = LogisticRegression(C=strength, max_iter=_MOST_STEPS)
        found.fit(features, labels, sample_weight=None if weights is None else weights[labels])
        loss = 0.0
        if held_out is not None:
            known = np.isin(held_out[1], found.classes_)
            probabilities = found.predict_proba(held_out[0][known])
            loss = log_loss(held_out[1][known], probabilities, labels=found.classes_)
        if loss < best[0]:
            best = (loss, found, strength)
    return best[1:]


def _of_all_classes(found: Any, output: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of the output layer; two classes may be one sigmoid unit or two."""
    kernel, bias = found.coef_.T, found.intercept_
    if kernel.shape[1] == 1 and output.units == 2:  # p = sigmoid(z) is softmax of (-z/2, z/2)
        kernel, bias = (
            np.concatenate([-kernel, kernel], axis=1) / 2,
            np.array([-bias[0], bias[0]]) / 2,
        )
    return kernel, bias
