"""McNemar, the paired bootstrap, the needed images and Holm: against statsmodels and SciPy."""

from __future__ import annotations

import gc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.metric_differences import metric_differences
from cnnkit.comparison.paired_tests import (
    ALPHA,
    difference_interval,
    holm,
    mcnemar,
    needed_images,
)
from cnnkit.evaluation.predictions import Predictions

_COUNT = st.integers(0, 300)


@settings(deadline=None)  # statsmodels is slow at first
@given(_COUNT, _COUNT)
def test_mcnemar_equals_statsmodels(only_first, only_second):
    table = [[50, only_first], [only_second, 7]]
    expected = statsmodels_mcnemar(table, exact=True).pvalue if only_first + only_second else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(min(1.0, expected))


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"), [(5, 0, 2 / 32), (6, 0, 2 / 64), (0, 6, 2 / 64)]
)
def test_mcnemar_by_hand(only_first, only_second, expected):
    assert mcnemar(only_first, only_second) == pytest.approx(expected)


@pytest.fixture(scope="module")
def _few_objects():
    """statsmodels collects garbage in each call, which takes seconds after many other tests."""
    gc.freeze()


@pytest.mark.usefixtures("_few_objects")
@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_equals_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_holm_of_nothing():
    assert holm([]).size == 0


def _answers(seed, num_images, *, first, second):
    random = np.random.default_rng(seed)
    right = random.random((2, num_images)) < np.array([[first], [second]])
    return right[0], right[1]


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_equals_that_of_scipy(seed):
    """With one class: SciPy's bootstrap draws images without regard to classes."""
    first, second = _answers(seed, 200, first=0.7, second=0.8)
    ours = difference_interval(first=first, second=second, labels=np.zeros(200, int))
    theirs = stats.bootstrap(
        (second.astype(float), first.astype(float)),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=seed,
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.011)  # two images of 200, and the noise


def test_the_interval_within_classes_equals_a_plain_loop():
    labels = np.repeat([0, 1, 2], [40, 100, 60])
    first, second = _answers(3, 200, first=0.6, second=0.7)
    random = np.random.default_rng(1)
    members = [np.flatnonzero(labels == label) for label in range(3)]
    differences = []
    for _ in range(4000):
        drawn = np.concatenate([random.choice(own, len(own)) for own in members])
        differences.append(second[drawn].mean() - first[drawn].mean())
    expected = np.quantile(differences, [0.025, 0.975])
    ours = difference_interval(first=first, second=second, labels=labels)
    assert ours == pytest.approx(tuple(expected), abs=0.011)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5))
def test_the_interval_turns_around_with_the_runs(seed, num_images, num_classes):
    random = np.random.default_rng(seed)
    first, second = random.random((2, num_images)) < 0.5
    labels = random.integers(0, num_classes, num_images)
    low, high = difference_interval(first=first, second=second, labels=labels)
    assert -1 <= low <= high <= 1
    same = difference_interval(first=first, second=second, labels=labels)
    assert same == (low, high)  # seeded
    if (first == second).all():
        assert (low, high) == (0, 0)
    swapped = difference_interval(first=second, second=first, labels=labels)
    assert swapped == pytest.approx((-high, -low), abs=3 / num_images)


def _power(num_images, only_first, only_second):
    """Return how often McNemar's exact test finds a difference, by the binomial distributions."""
    share = only_first + only_second
    total = 0.0
    for differing in range(num_images + 1):
        weight = stats.binom.pmf(differing, num_images, share)
        if weight < 1e-9:
            continue
        counts = np.arange(differing + 1)
        p_values = np.minimum(
            1, 2 * stats.binom.cdf(np.minimum(counts, differing - counts), differing, 0.5)
        )
        found = p_values < ALPHA
        total += weight * stats.binom.pmf(counts, differing, only_first / share)[found].sum()
    return total


@pytest.mark.parametrize(("only_first", "only_second"), [(30, 10), (25, 5), (12, 30)])
def test_the_needed_images_find_the_difference_four_times_in_five(only_first, only_second):
    needed = needed_images(only_first, only_second, 200)
    power = _power(needed, only_first / 200, only_second / 200)
    assert 0.75 < power < 0.83  # the exact test finds a little less than the formula assumes


def test_no_number_of_images_shows_a_difference_that_cannot_be():
    assert needed_images(5, 5, 100) is None
    assert needed_images(0, 0, 100) is None
    assert needed_images(1, 0, 1000, difference=0.01) is None
    assert needed_images(10, 10, 100, difference=0.01) > 10_000


def _simulated(random, num_images, shares):
    """Return the answers of two classifiers; each image is both right, one right, or both wrong."""
    kinds = random.choice(4, num_images, p=shares)
    return np.isin(kinds, (0, 1)), np.isin(kinds, (0, 2))


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(0.7, 0.1, 0.15, 0.05), (0.8, 0.08, 0.08, 0.04)])
def test_95_of_100_intervals_contain_the_true_difference(shares):
    random = np.random.default_rng(0)
    truth, hits = shares[2] - shares[1], 0
    for _ in range(1000):
        first, second = _simulated(random, 400, shares)
        labels = random.integers(0, 5, 400)
        low, high = difference_interval(first=first, second=second, labels=labels)
        hits += low <= truth <= high
    assert 930 <= hits <= 970


def test_equally_good_classifiers_are_seldom_told_apart():
    random = np.random.default_rng(0)
    found = 0
    for _ in range(1000):
        first, second = _simulated(random, 400, (0.8, 0.06, 0.06, 0.08))
        found += mcnemar(int((first & ~second).sum()), int((second & ~first).sum())) < ALPHA
    assert 10 <= found <= 50  # the exact test errs in at most 5% of all cases, and in not much less


def test_differences_of_metrics_are_those_of_a_bootstrap_that_draws_images(tmp_path):
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), [60, 40, 25])
    probabilities = random.dirichlet(np.ones(3), (2, len(labels))) + 0.7 * np.eye(3)[labels]
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    paths = list(map(str, range(len(labels))))
    names, turned = ("a", "b", "c"), [2, 0, 1]
    first = ComparedRun("one", tmp_path, Predictions(names, paths, labels, probabilities[0]))
    back = np.argsort(turned)
    second = ComparedRun(
        "two",
        tmp_path,
        Predictions(("c", "a", "b"), paths, back[labels], probabilities[1][:, turned]),
    )
    found = metric_differences(first, second)
    answers = probabilities.argmax(axis=2)
    members = [np.flatnonzero(labels == label) for label in range(3)]
    losses = -np.log(probabilities[:, np.arange(len(labels)), labels])

    def differences(drawn):
        ones, others = (each[drawn] for each in answers)
        scores = (balanced_accuracy_score, partial(f1_score, average="macro"))
        by_count = [score(labels[drawn], others) - score(labels[drawn], ones) for score in scores]
        return [*by_count, (losses[1] - losses[0])[drawn].mean()]

    resamples = [
        differences(np.concatenate([random.choice(each, len(each) - 1) for each in members]))
        for _ in range(1000)
    ]
    measured = differences(np.arange(len(labels)))
    assert list(found) == ["balanced_accuracy", "macro_f1", "log_loss"]
    assert [each.difference for each in found.values()] == pytest.approx(measured)
    widths = [(each.high - each.low) / 2 / 1.96 for each in found.values()]
    assert widths == pytest.approx(np.std(resamples, axis=0), rel=0.12)


def test_identical_answers_have_no_difference_in_any_metric(tmp_path):
    labels = np.arange(9) % 3
    run = ComparedRun(
        "one", tmp_path, Predictions(("a", "b", "c"), [""] * 9, labels, np.eye(3)[labels])
    )
    assert set(metric_differences(run, run).values()) == {(0, 0, 0)}
