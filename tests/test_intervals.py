"""95% intervals: against SciPy, against a bootstrap that draws images, and what they contain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef, roc_auc_score

from cnnkit.evaluation.all_metrics import all_metrics
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
from cnnkit.metrics import CalibrationBins, rank_classes


def _drawn(sizes, random, signal=2.0, temperature=1.0):
    """Return (labels, probabilities) of a classifier that is confident when it should not be."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    scores = random.normal(size=(len(labels), len(sizes)))
    # Some classes are easier than others, and every third is often taken for the next one.
    scores[np.arange(len(labels)), labels] += signal + 0.2 * labels
    scores[np.arange(len(labels)), (labels + 1) % len(sizes)] += labels % 3 == 0
    scores = np.exp(scores * temperature)
    return labels, scores / scores.sum(axis=1, keepdims=True)


def _metrics(labels, probabilities):
    names = tuple(map(str, range(probabilities.shape[1])))
    return all_metrics(Predictions(names, [""] * len(labels), labels, probabilities))


@given(st.integers(1, 500), st.data())
def test_wilson_equals_scipy(num_images, data):
    right = data.draw(st.integers(0, num_images))
    expected = binomtest(right, num_images).proportion_ci(0.95, method="wilson")
    found = wilson_interval(right / num_images, num_images)
    assert [float(end) for end in found] == pytest.approx(list(expected), abs=1e-12)


@given(st.floats(0, 1), st.floats(0, 0.5), st.integers(1, 999))
def test_an_interval_contains_the_value_and_stays_in_the_range(value, error, num_images):
    low, high = interval_of_score(value, error, num_images)
    assert 0 <= low <= value <= high <= 1
    low, high = interval_of_score(2 * value - 1, error, num_images, lowest=-1)
    assert -1 <= low <= 2 * value - 1 + 1e-12 and 2 * value - 1 - 1e-12 <= high <= 1
    low, high = interval_of_loss(value + 0.01, error * value)
    assert 0 < low <= value + 0.01 <= high


def test_an_interval_of_a_score_is_wilson_s_if_it_is_a_share():
    error = np.sqrt(0.8 * 0.2 / 70)
    assert interval_of_score(0.8, error, 999) == pytest.approx(wilson_interval(0.8, 70))


@pytest.mark.parametrize(
    ("labels", "strata"),
    [
        ([5, 3, 5], [0, 0, 0]),  # the only one of its class is with the others
        ([0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 1, 0]),
        ([4], [0]),
        ([0, 1, 2], [0, 0, 0]),
    ],
)
def test_an_image_that_is_alone_in_its_class_is_drawn_with_others(labels, strata):
    assert strata_of(np.array(labels)).tolist() == strata


def _resamples(labels, random, number):
    """Yield the positions of drawn images, one fewer than there are of each class."""
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(number):
        yield np.concatenate([random.choice(each, len(each) - 1) for each in members])


def test_errors_are_those_of_a_bootstrap_that_draws_images():
    random = np.random.default_rng(0)
    labels, probabilities = _drawn([30] * 4, random, signal=1)
    predicted = probabilities.argmax(axis=1)
    losses = -np.log(probabilities[np.arange(len(labels)), labels])
    found = [
        [
            f1_score(labels[drawn], predicted[drawn], average="macro"),
            matthews_corrcoef(labels[drawn], predicted[drawn]),
            losses[drawn].mean(),
            np.mean([roc_auc_score(labels[drawn] == c, probabilities[drawn, c]) for c in range(4)]),
            np.mean(
                [
                    average_precision_score(labels[drawn] == c, probabilities[drawn, c])
                    for c in range(4)
                ]
            ),
        ]
        for drawn in _resamples(labels, random, 1000)
    ]
    strata = strata_of(labels)
    counts = resampled_counts(labels, predicted, 4).headline()
    ranking = rank_classes(labels=labels, probabilities=probabilities)
    ours = [
        counts["macro_f1"].std(ddof=1),
        counts["matthews_corrcoef"].std(ddof=1),
        error_of_mean(losses, strata),
        error_of_sum(ranking.roc_influence, strata),
        error_of_sum(ranking.pr_influence, strata),
    ]
    assert ours == pytest.approx(np.std(found, axis=0, ddof=1), rel=0.12)


def test_influences_on_roc_curves_are_derivatives():
    """A little more of an image changes the weighted areas as the influence says."""
    random = np.random.default_rng(1)
    labels, probabilities = _drawn([6, 9, 5], random, signal=0.5)
    probabilities = probabilities.round(1)  # with ties
    ranking = rank_classes(labels=labels, probabilities=probabilities)
    step = 1e-5
    for image in range(len(labels)):
        weights = np.ones(len(labels))
        weights[image] += step
        after = [
            roc_auc_score(labels == c, probabilities[:, c], sample_weight=weights) for c in range(3)
        ]
        slope = (np.mean(after) - ranking.roc_auc.mean()) / step
        assert ranking.roc_influence[image] == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize("sizes", [[6, 9, 5], [3, 1, 4], [2, 2]])
def test_influences_on_pr_curves_are_what_leaving_an_image_out_changes(sizes):
    labels, probabilities = _drawn(sizes, np.random.default_rng(1), signal=0.5)
    probabilities = probabilities.round(1)  # with ties
    ranking = rank_classes(labels=labels, probabilities=probabilities)
    for image, label in enumerate(labels):
        if sizes[label] > 1:
            others = np.arange(len(labels)) != image
            without = [
                average_precision_score(labels[others] == c, probabilities[others, c])
                for c in range(len(sizes))
            ]
            lost = (ranking.pr_auc.mean() - np.mean(without)) * (1 - 1 / sizes[label])
            assert ranking.pr_influence[image] == pytest.approx(lost, abs=1e-12)


@pytest.mark.parametrize("free", [5, 10, 30, 1000])
def test_the_widening_is_that_of_the_t_distribution(free):
    assert widening(free) == pytest.approx(t.ppf(0.975, free) / norm.ppf(0.975), rel=2e-3)


def test_degrees_of_freedom_are_those_of_the_group_that_makes_the_error():
    strata = np.repeat([0, 1], [200, 12])
    small_group_varies = np.where(strata == 1, np.arange(212) % 2, 0.0)
    assert degrees_of_freedom(small_group_varies, strata) == pytest.approx(11)
    assert degrees_of_freedom(np.arange(50) % 2.0, np.zeros(50, int)) == pytest.approx(49)


def test_resampled_counts_add_up_to_the_images_there_are():
    labels = np.array([0] * 7 + [1] * 2 + [3, 4])
    predicted = np.array([0, 0, 1, 0, 2, 0, 0, 1, 3, 3, 0])
    counts = resampled_counts(labels, predicted, 5)
    assert counts.support.sum(axis=1) == pytest.approx(np.full(500, 11))
    assert counts.predicted.sum(axis=1) == pytest.approx(np.full(500, 11))
    assert counts.support[:, 0] == pytest.approx(np.full(500, 7))
    assert (counts.hits <= counts.support + 1e-9).all()
    assert counts.hits[:, 0].mean() == pytest.approx(5, abs=0.2)


def test_the_same_images_give_the_same_intervals():
    labels, probabilities = _drawn([20] * 3, np.random.default_rng(0))
    assert _metrics(labels, probabilities) == _metrics(labels, probabilities)


def test_if_every_image_is_right_the_intervals_are_no_points():
    labels = np.repeat(np.arange(3), 20)
    intervals = _metrics(labels, np.eye(3)[labels] * 0.97 + 0.01)["intervals"]
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "roc_auc", "pr_auc"):
        assert intervals[name] == pytest.approx(
            [float(each) for each in wilson_interval(1, 60)], abs=1e-9
        ), name
    assert intervals["matthews_corrcoef"][0] < 0.95


def test_calibration_error_that_chance_alone_makes_includes_zero():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 200)
    bins = CalibrationBins(confidence, random.random(200) < confidence)
    low, high = interval_of_calibration_error(bins)
    assert low == 0 and high > bins.error / 2 > 0
    low, high = interval_of_calibration_error(CalibrationBins(confidence, random.random(200) < 0.3))
    assert low > 0.3


# (images of each class, signal, temperature)
_CLASSIFIERS = {
    "ten classes": ([25] * 10, 1.5, 1.0),
    "unequal classes": ([300, 150, 75, 50], 1.0, 0.7),
    "two classes": ([100, 100], 1.0, 1.0),
    "a class of 30": ([200, 100, 50, 30], 1.0, 1.0),
    "nearly calibrated": ([50] * 4, 1.0, 1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", _CLASSIFIERS)
def test_95_percent_of_the_intervals_contain_the_truth(name):
    sizes, signal, temperature = _CLASSIFIERS[name]
    random = np.random.default_rng(1)
    truth = _truth(sizes, random, signal, temperature)
    contained = dict.fromkeys(truth, 0)
    simulations = 1000
    for _ in range(simulations):
        intervals = _metrics(*_drawn(sizes, random, signal, temperature))["intervals"]
        for metric, (low, high) in intervals.items():
            contained[metric] += low <= truth[metric] <= high
    shares = {metric: number / simulations for metric, number in contained.items()}
    assert min(shares.values()) >= 0.93, shares
    # In bins with small gaps the interval of the calibration error is wider than it has to be.
    assert shares.pop("ece") <= 0.99
    assert max(shares.values()) <= 0.97, shares


def _truth(sizes, random, signal, temperature):
    """Return the metrics on very many images, with the same shares of the classes."""
    times = 400_000 // sum(sizes)
    found = _metrics(*_drawn([size * times for size in sizes], random, signal, temperature))
    return {name: found[name] for name in found["intervals"]}
