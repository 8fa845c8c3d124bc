"""Find the output layer on fixed features by logistic regression: a linear probe."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from cnnkit.progress import Report
from cnnkit.training.history import History
from cnnkit.training.phase_features import CachedFeatureBatches

# scikit-learn's C, the inverse strength of the L2 penalty: from a strong one to a weak one.
_STRENGTHS = tuple(10.0**power for power in range(-4, 4))
_MOST_ITERATIONS = 1000
_MOST_WORSE = 2  # weaker penalties in a row that are worse: still weaker ones would be, too


def probe_epoch(
    head: Any,
    batches: CachedFeatureBatches,
    history: History,
    report: Report,
    stop_if_interrupted: Callable[[], None],
) -> dict[str, float]:
    """Fit the output layer, evaluate it, and return the row of history.csv.

    It stands in for `train_epoch` in a phase with `train: linear_probe`.

    Args:
        head: a compiled model of which only the output layer has weights.
        batches: of the features.
        history: of the epochs before this one.
        report: is given the strength of the penalty that was chosen.
        stop_if_interrupted: raises KeyboardInterrupt if Ctrl-C came since the last call.
    """
    begin = time.perf_counter()
    fit_probe(head, batches, report, stop_if_interrupted)
    logs = dict(head.evaluate(batches.training_in_order(), verbose=0, return_dict=True))
    validation = batches.validation()
    if validation is not None:
        found = head.evaluate(validation, verbose=0, return_dict=True)
        logs |= {f"val_{name}": value for name, value in found.items()}
    seconds = time.perf_counter() - begin
    return history.next_row(logs, learning_rate=0.0, seconds=seconds)  # there are no steps


def fit_probe(
    head: Any,
    batches: CachedFeatureBatches,
    report: Report,
    stop_if_interrupted: Callable[[], None],
) -> None:
    """Give the output layer the weights that scikit-learn's logistic regression finds.

    The features are scaled to mean 0 and standard deviation 1 first; the weights take that back.
    Up to eight strengths of the L2 penalty are tried, from the strongest on, and the one with the
    smallest validation loss is used; without validation images it is 1.

    Args:
        head: a model of which only the output layer has weights.
        batches: of the features.
        report: is given the strength that was chosen.
        stop_if_interrupted: called before each strength.
    """
    output = head.layers[-1]
    features, labels = batches.arrays("train")
    features = features.astype(np.float64)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation < 1e-6] = 1.0  # a feature that is always the same
    # The penalty treats all features alike, so they must have the same scale.
    scaled = (features - mean) / deviation
    held_out = batches.arrays("validation") if batches.validation() is not None else None
    if held_out is not None:
        held_out = ((held_out[0] - mean) / deviation, held_out[1])
    # With more threads, those of BLAS wait for each other when the machine has other work.
    with threadpool_limits(1, "blas"):
        weights = batches.label_weights()
        found, strength = _best(scaled, labels, weights, held_out, stop_if_interrupted)
    chosen = "chosen on the validation images" if held_out is not None else "no validation images"
    report.note(f"linear probe: inverse regularisation strength C = {strength:g} ({chosen})")
    kernel, bias = _of_all_classes(found, output)
    # The output layer gets the unscaled features: its weights contain the scaling.
    kernel = kernel / deviation[:, None]
    output.set_weights([kernel, bias - mean @ kernel])


def _best(
    features: np.ndarray,
    labels: np.ndarray,
    class_weights: np.ndarray | None,
    held_out: tuple[np.ndarray, np.ndarray] | None,
    stop_if_interrupted: Callable[[], None],
) -> tuple[Any, float]:
    """Return the best logistic regression and its strength."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    sample_weights = None if class_weights is None else class_weights[labels]
    best, num_worse = (np.inf, None, 1.0), 0
    # Without validation images nothing can choose, and scikit-learn's default is taken.
    for strength in _STRENGTHS if held_out is not None else (1.0,):
        stop_if_interrupted()
        found = LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS)
        found.fit(features, labels, sample_weight=sample_weights)
        loss = 0.0
        if held_out is not None:
            known = np.isin(held_out[1], found.classes_)  # a class may have no training image
            probabilities = found.predict_proba(held_out[0][known])
            # The labels are given because a class may have no validation image.
            loss = log_loss(held_out[1][known], probabilities, labels=found.classes_)
        # If two losses are equal, the stronger penalty is kept: it was tried first.
        num_worse += 1
        if loss < best[0]:
            best, num_worse = (loss, found, strength), 0
        if num_worse == _MOST_WORSE:
            break  # the weakest penalties take the longest
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
