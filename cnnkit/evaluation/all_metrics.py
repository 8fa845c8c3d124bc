"""Every number of an evaluation, with its 95% interval, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.evaluation.bootstrap import (
    degrees_of_freedom,
    error_of_mean,
    error_of_sum,
    resampled_counts,
    strata_of,
)
from cnnkit.evaluation.intervals import (
    interval_of_calibration_error,
    interval_of_loss,
    interval_of_score,
    widening,
    wilson_interval,
)
from cnnkit.evaluation.predictions import Predictions
from cnnkit.metrics import (
    MOST_CLASSES_IN_FULL,
    CalibrationBins,
    CountMetrics,
    Ranking,
    brier_scores,
    confusion_matrix,
    log_losses,
    rank_classes,
    ranks,
)

# The metrics of all classes together, in the order in which they are shown. All but
# `top5_accuracy`, which needs more than five classes, are always there.
HEADLINE_METRICS = (
    *("accuracy", "top5_accuracy", "balanced_accuracy", "macro_f1", "weighted_f1"),
    *("roc_auc", "pr_auc", "log_loss", "brier_score", "ece", "cohen_kappa", "matthews_corrcoef"),
)
CLASS_METRICS = ("precision", "recall", "f1", "support", "roc_auc", "pr_auc")
CLASS_INTERVALS = ("precision", "recall", "f1")
_TOP = 5
_LIMITS = {"cohen_kappa": (-1.0, 1.0), "matthews_corrcoef": (-1.0, 1.0)}


def all_metrics(predictions: Predictions) -> dict[str, Any]:
    """Return the metrics, their intervals, and those of each class.

    A metric that is not defined, such as `roc_auc` if all images are of one class, is None and has
    no interval. Means over classes are over those that have images. `confusion_matrix` is included
    only if there are at most `MOST_CLASSES_IN_FULL` classes.
    """
    names, labels = predictions.class_names, predictions.labels
    matrix = confusion_matrix(
        labels=labels, predictions=predictions.predicted, num_classes=len(names)
    )
    counts = CountMetrics(np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0))
    ranking = rank_classes(labels=labels, probabilities=predictions.probabilities)
    resampled = resampled_counts(labels, predictions.predicted, len(names))
    bins = CalibrationBins(predictions.confidence, predictions.is_correct)
    values, intervals = _of_counts(counts, resampled, len(labels))
    for more_values, more_intervals in (_of_images(predictions), _of_ranking(ranking, labels)):
        values |= more_values
        intervals |= more_intervals
    values["ece"], intervals["ece"] = bins.error, interval_of_calibration_error(bins)
    result = {
        "num_images": len(labels),
        **{name: _number(values[name]) for name in HEADLINE_METRICS if name in values},
        "intervals": {
            name: [float(end) for end in intervals[name]]
            for name in HEADLINE_METRICS
            if name in intervals
        },
        "per_class": _per_class(names, counts, resampled, ranking),
        "reliability": bins.as_list(),
    }
    if len(names) <= MOST_CLASSES_IN_FULL:
        result["confusion_matrix"] = matrix.tolist()
    return result


def _of_counts(
    counts: CountMetrics, resampled: CountMetrics, num_images: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    values: dict[str, Any] = dict(counts.headline())
    intervals = {"accuracy": wilson_interval(values["accuracy"], num_images)}
    for name, resamples in resampled.headline().items():
        if name not in intervals and not np.isnan(values[name]):
            lowest, highest = _LIMITS.get(name, (0.0, 1.0))
            intervals[name] = interval_of_score(
                values[name],
                _deviation(resamples),
                num_images,
                lowest=lowest,
                highest=highest,
            )
    return values, intervals


def _deviation(resamples: NDArray) -> float:
    """Return the standard deviation of those that are defined; Cohen's kappa may not be."""
    defined = resamples[~np.isnan(resamples)]
    return defined.std() if len(defined) else 0.0


def _of_images(predictions: Predictions) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the metrics that are means over the images."""
    given = {"labels": predictions.labels, "probabilities": predictions.probabilities}
    num_images, num_classes = predictions.probabilities.shape
    losses, briers, strata = log_losses(**given), brier_scores(**given), strata_of(given["labels"])
    values = {"log_loss": losses.mean(), "brier_score": briers.mean()}
    intervals: dict[str, Any] = {
        "brier_score": interval_of_score(
            values["brier_score"],
            error_of_mean(briers, strata),
            num_images,
            highest=1.0 if num_classes == 2 else 2.0,
        ),
    }
    # Equal losses, or one, do not say how losses vary, and they have no upper limit.
    if (error := error_of_mean(losses, strata)) > 0:
        intervals["log_loss"] = interval_of_loss(values["log_loss"], error)
    if num_classes > _TOP:  # with fewer it would always be 1
        values["top5_accuracy"] = (ranks(**given) < _TOP).mean()
        intervals["top5_accuracy"] = wilson_interval(values["top5_accuracy"], num_images)
    return values, intervals


def _of_ranking(ranking: Ranking, labels: NDArray) -> tuple[dict[str, float], dict[str, Any]]:
    is_rankable = ~np.isnan(ranking.roc_auc)
    if not is_rankable.any():
        return {"roc_auc": np.nan, "pr_auc": np.nan}, {}
    strata = strata_of(labels)
    values, intervals = {}, {}
    for name, areas, influence in (
        ("roc_auc", ranking.roc_auc, ranking.roc_influence),
        ("pr_auc", ranking.pr_auc, ranking.pr_influence),
    ):
        values[name] = float(areas[is_rankable].mean())
        error = error_of_sum(influence, strata)
        if name == "pr_auc":
            error *= widening(degrees_of_freedom(influence, strata))
        intervals[name] = interval_of_score(values[name], error, len(labels))
    return values, intervals


def _per_class(
    names: tuple[str, ...], counts: CountMetrics, resampled: CountMetrics, ranking: Ranking
) -> dict[str, dict[str, Any]]:
    values: Mapping[str, NDArray] = {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "support": counts.support.astype(int),
        "roc_auc": ranking.roc_auc,
        "pr_auc": ranking.pr_auc,
    }
    sizes = {
        "precision": counts.predicted,
        "recall": counts.support,
        "f1": counts.support + counts.predicted - counts.hits,
    }
    at_least_one = {name: np.maximum(size, 1) for name, size in sizes.items()}
    ends = {
        name: wilson_interval(values[name], at_least_one[name]) for name in ("precision", "recall")
    }
    ends["f1"] = interval_of_score(counts.f1, resampled.f1.std(axis=0, ddof=1), at_least_one["f1"])
    return {
        name: {
            **{key: _number(column[label]) for key, column in values.items()},
            "intervals": {
                key: [end[label].item() for end in ends[key]]
                for key in CLASS_INTERVALS
                if sizes[key][label]
            },
        }
        for label, name in enumerate(names)
    }


def _number(value: Any) -> float | int | None:
    """Return a number of Python; None for NaN."""
    number = np.asarray(value).item()
    return None if number != number else number
