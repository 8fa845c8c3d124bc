"""Differences between two runs in metrics other than accuracy, with intervals.

They describe; the verdict is that of McNemar's test. With several metrics, one of the intervals may
miss 0 by chance.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.paired_tests import ALPHA
from cnnkit.comparison.same_images import positions_in
from cnnkit.evaluation.bootstrap import error_of_mean, paired_resampled_counts, strata_of
from cnnkit.metrics import CountMetrics, confusion_matrix, log_losses

_Z = NormalDist().inv_cdf(1 - ALPHA / 2)
_OF_COUNTS = ("balanced_accuracy", "macro_f1")


class MetricDifference(NamedTuple):
    """How much larger a metric of the second run is.

    Args:
        difference: second minus first.
        low: the lower end of its 95% interval.
        high: the upper end.
    """

    difference: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"difference": self.difference, "interval": [self.low, self.high]}


def metric_differences(first: ComparedRun, second: ComparedRun) -> dict[str, MetricDifference]:
    """Return the differences in balanced accuracy, macro F1 and log loss.

    The interval is the difference plus and minus 1.96 standard errors of a paired bootstrap within
    each class: all answers to an image are drawn together.

    Raises:
        UsageError: the runs were not scored on the same images.
    """
    positions = positions_in(second, first)
    answers, others = first.predictions, second.predictions
    labels, num_classes = answers.labels, len(answers.class_names)
    label_of = {name: label for label, name in enumerate(answers.class_names)}
    # The classes of the second run may be in another order.
    as_first = np.array([label_of[name] for name in others.class_names])
    predicted = [answers.predicted, as_first[others.predicted[positions]]]
    resampled = [
        each.headline() for each in paired_resampled_counts(labels, predicted, num_classes)
    ]
    measured = [_headline(labels, each, num_classes) for each in predicted]
    found = {
        name: _with_interval(
            measured[1][name] - measured[0][name],
            float(np.std(resampled[1][name] - resampled[0][name])),
        )
        for name in _OF_COUNTS
    }
    losses = [
        log_losses(labels=each.labels, probabilities=each.probabilities)
        for each in (answers, others)
    ]
    more_loss = losses[1][positions] - losses[0]
    error = error_of_mean(more_loss, strata_of(labels))
    return {**found, "log_loss": _with_interval(float(more_loss.mean()), error)}


def _headline(labels: Any, predicted: Any, num_classes: int) -> dict[str, float]:
    matrix = confusion_matrix(labels=labels, predictions=predicted, num_classes=num_classes)
    counts = CountMetrics(np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0))
    return {name: float(value) for name, value in counts.headline().items()}


def _with_interval(difference: float, error: float) -> MetricDifference:
    return MetricDifference(difference, difference - _Z * error, difference + _Z * error)
