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
# With more rows, all strengths are tried on so many of them, drawn at random. The same strength is
# the best one, and trying takes a fraction of the time.
MOST_ROWS_TO_CHOOSE = 10_000
_FOLDS = 5

# Rows to fit, and others to judge the result by: their features, labels and weights.
_Rows = tuple[np.ndarray, np.ndarray, "np.ndarray | None"]
_Trial = tuple[_Rows, _Rows]


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
    Up to eight strengths of the L2 penalty are tried, from the strongest on. The one with the
    smallest loss on the validation images is used; if there are none, the one with the smallest
    loss in a cross-validation of the training images.

    Args:
        head: a model of which only the output layer has weights.
        batches: of the features.
        report: is given the strength that was chosen.
        stop_if_interrupted: called before each strength.
    """
    from sklearn.linear_model import LogisticRegression

    output = head.layers[-1]
    features, labels = batches.arrays("train")
    features = features.astype(np.float64)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation < 1e-6] = 1.0  # a feature that is always the same
    # The penalty treats all features alike, so they must have the same scale.
    scaled = (features - mean) / deviation
    held_out = batches.arrays("validation") if batches.validation() is not None else None
    whole = (scaled, labels, batches.weights())
    # With more threads, those of BLAS wait for each other when the machine has other work.
    with threadpool_limits(1, "blas"):
        if held_out is not None:
            rows = _some_rows(batches.num_images, len(labels))
            judged = ((held_out[0] - mean) / deviation, held_out[1], None)
            trials = [(_of_rows(whole, rows), judged)]
        else:
            trials = _folds(whole, batches.num_images)
        strength = _best_strength(trials, stop_if_interrupted)
        found = LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS)
        found.fit(scaled, labels, sample_weight=whole[2])
    chosen = "on the validation images" if held_out is not None else "by cross-validation"
    report.note(f"linear probe: inverse regularisation strength C = {strength:g} (chosen {chosen})")
    kernel, bias = _of_all_classes(found, output)
    # The output layer gets the unscaled features: its weights contain the scaling.
    kernel = kernel / deviation[:, None]
    output.set_weights([kernel, bias - mean @ kernel])


def _some_rows(num_images: int, num_rows: int) -> np.ndarray:
    """Return at most `MOST_ROWS_TO_CHOOSE` positions, with all views of an image or none.

    Args:
        num_images: how many there are.
        num_rows: a multiple of it; the rows of the second view follow all those of the first.
    """
    num_views = num_rows // num_images
    most = min(num_images, MOST_ROWS_TO_CHOOSE // num_views)
    images = np.sort(np.random.default_rng(0).permutation(num_images)[:most])
    return np.concatenate([images + view * num_images for view in range(num_views)])


def _of_rows(whole: _Rows, chosen: np.ndarray) -> _Rows:
    features, labels, weights = whole
    return features[chosen], labels[chosen], None if weights is None else weights[chosen]


def _folds(whole: _Rows, num_images: int) -> list[_Trial]:
    """Return the trials of a cross-validation: each class, and all views of an image, evenly.

    There are none if only one class has two images.
    """
    labels = whole[1]
    # So each fold leaves two classes to learn.
    num_folds = min(_FOLDS, *sorted(np.bincount(labels[:num_images]))[-2:])
    if num_folds < 2:
        return []
    rows = _some_rows(num_images, len(labels))
    shuffled = np.random.default_rng(0).permutation(num_images)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of_image = np.empty(num_images, int)
    fold_of_image[by_class] = np.arange(num_images) % num_folds
    fold = fold_of_image[rows % num_images]
    return [
        (_of_rows(whole, rows[fold != each]), _of_rows(whole, rows[fold == each]))
        for each in range(num_folds)
    ]


def _best_strength(trials: list[_Trial], stop_if_interrupted: Callable[[], None]) -> float:
    """Return the strength with the smallest loss over all trials; scikit-learn's 1 without any."""
    best, num_worse = (np.inf, 1.0), 0
    for strength in _STRENGTHS if trials else ():
        loss = 0.0
        for trial in trials:
            stop_if_interrupted()
            loss += _loss(trial, strength)
        # If two losses are equal, the stronger penalty is kept: it was tried first.
        num_worse += 1
        if loss < best[0]:
            best, num_worse = (loss, strength), 0
        if num_worse == _MOST_WORSE:
            break  # the weakest penalties take the longest
    return best[1]


def _loss(trial: _Trial, strength: float) -> float:
    """Fit a logistic regression and return its loss on the images to judge by, summed over them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    (features, labels, weights), (held_out, held_out_labels, _) = trial
    found = LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS)
    found.fit(features, labels, sample_weight=weights)
    known = np.isin(held_out_labels, found.classes_)  # a class may have no training image
    if not known.any():
        return 0.0
    probabilities = found.predict_proba(held_out[known])
    # The labels are given because a class may have no image to judge by.
    return log_loss(held_out_labels[known], probabilities, labels=found.classes_, normalize=False)


def _of_all_classes(found: Any, output: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of the output layer; two classes may be one sigmoid unit or two."""
    kernel, bias = found.coef_.T, found.intercept_
    if kernel.shape[1] == 1 and output.units == 2:  # p = sigmoid(z) is softmax of (-z/2, z/2)
        kernel, bias = (
            np.concatenate([-kernel, kernel], axis=1) / 2,
            np.array([-bias[0], bias[0]]) / 2,
        )
    return kernel, bias
