"""Temperature, thresholds, distances: against hand-computed numbers, plain loops, scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax, softmax
from scipy.stats import gamma

from cnnkit.calibration.answers import Answers
from cnnkit.calibration.distances import (
    chosen_references,
    largest_distance,
    neighbour_distances,
)
from cnnkit.calibration.temperature import fit_temperature
from cnnkit.calibration.thresholds import (
    class_thresholds,
    risk_coverage,
    threshold_for_coverage,
    threshold_for_precision,
)
from cnnkit.model.calibrated_layers import unit_rows
from cnnkit.model.calibration import Calibration, with_temperature


def _sampled(num_images, num_classes, temperature, seed):
    """Return logits whose labels are drawn from softmax(logits / temperature)."""
    random = np.random.default_rng(seed)
    logits = 3 * random.normal(size=(num_images, num_classes))
    p = softmax(logits / temperature, axis=1)
    return logits, np.array([random.choice(num_classes, p=row) for row in p])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    logits, labels = _sampled(20_000, 5, temperature, seed=0)
    assert fit_temperature(logits=logits, labels=labels) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_is_that_of_scikit_learn():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression

    logits, labels = _sampled(5_000, 4, 1.7, seed=1)
    # A model whose decision function gives the logits as they are.
    model = LogisticRegression().fit(logits[:100], np.arange(100) % 4)
    model.coef_, model.intercept_ = np.eye(4), np.zeros(4)
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature")
    theirs.fit(logits, labels)
    ours = fit_temperature(logits=logits, labels=labels)
    expected = theirs.predict_proba(logits)
    assert np.abs(softmax(logits / ours, axis=1) - expected).max() < 2e-3


def test_a_model_that_is_always_right_still_gets_a_temperature():
    logits = 5 * np.eye(3)[np.arange(30) % 3]
    found = fit_temperature(logits=logits, labels=np.arange(30) % 3)
    assert 0.2 < found < 1
    # The minimum of the documented sum: every other temperature is worse.
    loss = lambda t: -log_softmax(logits / t, axis=1).max(axis=1).sum() + np.log(t) ** 2 / 2  # noqa: E731
    assert all(loss(found) <= loss(found * factor) for factor in (0.9, 0.99, 1.01, 1.1))


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, (4, 3), elements=st.floats(-20, 20)),
    st.floats(0.1, 10),
)
def test_a_temperature_never_changes_the_order_of_the_classes(logits, temperature):
    before = softmax(logits, axis=1)
    after = with_temperature(before, temperature)
    np.testing.assert_allclose(after, softmax(logits / temperature, axis=1), atol=1e-9)
    for one, other in zip(before, after, strict=True):
        assert (np.diff(other[np.argsort(one, kind="stable")]) >= 0).all()


def test_a_probability_of_zero_stays_zero():
    assert with_temperature(np.array([[1.0, 0.0]]), 2.0).tolist() == [[1.0, 0.0]]


_CONFIDENCES = st.lists(
    st.tuples(st.sampled_from([0.2, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=30
)


@settings(deadline=None)
@given(_CONFIDENCES, st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_a_threshold_for_a_precision_reaches_it_and_no_lower_one_does(pairs, precision):
    confidences, is_correct = map(np.array, zip(*pairs, strict=True))
    threshold = threshold_for_precision(confidences, is_correct, precision)
    # Answers are all or none of equal confidences, so these are all the choices there are.
    reached = [
        each
        for each in np.unique(confidences)
        if is_correct[confidences >= each].mean() >= precision - 1e-9
    ]
    if not reached:
        assert threshold is None
    else:
        assert (confidences >= threshold).tolist() == (confidences >= min(reached)).tolist()


@settings(deadline=None)
@given(_CONFIDENCES, st.floats(0.01, 1))
def test_a_threshold_for_a_coverage_answers_as_few_as_possible(pairs, coverage):
    confidences, is_correct = map(np.array, zip(*pairs, strict=True))
    answered = confidences >= threshold_for_coverage(confidences, is_correct, coverage)
    assert answered.mean() >= coverage - 1e-9
    fewer = confidences > confidences[answered].min()
    assert fewer.mean() < coverage


def test_the_risk_coverage_curve_and_its_area_by_hand():
    curve = risk_coverage([0.9, 0.8, 0.8, 0.1], [True, False, True, False])
    assert curve.confidences.tolist() == [0.9, 0.8, 0.1]
    assert curve.coverages.tolist() == [0.25, 0.75, 1.0]
    np.testing.assert_allclose(curve.risks, [0, 1 / 3, 0.5])
    assert curve.area == pytest.approx(0.5 / 3 + 0.25 * 0.5)


def test_a_class_with_few_answers_gets_the_threshold_of_all_images():
    confidences = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    predicted = np.array([0, 0, 0, 0, 1])
    is_correct = np.array([True, True, False, False, True])
    find = lambda c, ok: threshold_for_precision(c, ok, 0.9)  # noqa: E731
    thresholds, few = class_thresholds(confidences, predicted, is_correct, find, 3, least=2)
    assert thresholds == (0.75, 0.75, 0.75)
    assert few == [1, 2]
    thresholds, few = class_thresholds(confidences, predicted, is_correct, find, 2, least=1)
    assert (thresholds, few) == ((0.75, 0.0), [])


def test_the_distance_is_that_of_the_fifth_most_similar_image():
    random = np.random.default_rng(0)
    features, references = random.normal(size=(7, 4)), unit_rows(random.normal(size=(20, 4)))
    for row, distance in zip(features, neighbour_distances(features, references), strict=True):
        each = sorted(1 - row @ other / np.linalg.norm(row) for other in references)
        assert distance == pytest.approx(each[4])
    # With fewer than five, the farthest of them.
    assert neighbour_distances(np.array([[2.0, 0]]), np.eye(2)).tolist() == [1.0]


def test_the_largest_distance_keeps_its_promise_for_new_images():
    """Split conformal: new images are within the limit with probability rank / (n + 1)."""
    own = np.random.default_rng(0).gamma(2.0, size=(5_000, 60))
    accepted = gamma(2.0).cdf([largest_distance(row, 0.9) for row in own])
    assert np.mean(accepted) == pytest.approx(55 / 61, abs=0.002)  # 55 is 0.9 times 61, rounded up
    assert largest_distance([3.0, 1.0, 2.0], 0.99) == 3.0  # too few images to know better


def test_references_are_spread_over_the_classes_and_do_not_depend_on_the_order():
    labels = ["cat"] * 900 + ["dog"] * 100
    keys = [f"{number * 7919 % 1000:04d}" for number in range(1000)]
    chosen = chosen_references(labels, keys, 2_500_000 // 150)
    assert len(chosen) == 150
    assert sum(labels[each] == "dog" for each in chosen) == 75
    backwards = chosen_references(labels[::-1], keys[::-1], 2_500_000 // 150)
    assert {keys[each] for each in chosen} == {keys[::-1][each] for each in backwards}
    assert chosen_references(labels, keys, 10) == list(range(1000))


def test_the_numbers_of_a_calibration_are_those_of_its_answers():
    logits = np.log([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    answers = Answers(np.array([0, 1, 1, 1]), logits, np.array([0.1, 0.2, 0.3, 0.9]))
    found = answers.measured(Calibration(1.0, (0.5, 0.65), 0.5))
    assert (found["accuracy"], found["accepted"], found["coverage"]) == (0.75, 0.75, 0.75)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["ece"] == found["ece_before"]
    never = answers.measured(Calibration(1.0, (None, None), 0.5))
    assert (never["coverage"], never["precision"]) == (0.0, None)


@pytest.mark.parametrize(
    ("probabilities", "distance", "reason"),
    [
        ([0.9, 0.1], 0.1, None),
        ([0.9, 0.1], None, None),
        ([0.7, 0.3], 0.1, "not sure enough: cat has probability 0.700, at least 0.800 is needed"),
        ([0.9, 0.1], 0.6, "unlike the training images: distance 0.600, at most 0.500 is accepted"),
        ([0.9, 0.1], float("nan"), "unlike the training images: distance nan, at most 0.500 is "
         "accepted"),
        ([0.1, 0.9], 0.1, "perhaps dog, but no answer dog was reliable enough on validation"),
    ],
)  # fmt: skip
def test_the_reason_for_unknown(probabilities, distance, reason):
    calibration = Calibration(1.0, (0.8, None), 0.5)
    assert calibration.refusal(np.array(probabilities), distance, ("cat", "dog")) == reason


def test_a_calibration_survives_its_json():
    calibration = Calibration(1.25, (0.8, None), 0.5)
    assert Calibration.from_dict(calibration.as_dict()) == calibration
