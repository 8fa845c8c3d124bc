"""Metrics compared with hand numbers, plain loops and scikit-learn, also on awkward input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from cnnkit.evaluation.all_metrics import HEADLINE_METRICS, all_metrics
from cnnkit.evaluation.predictions import Predictions
from cnnkit.metrics import CalibrationBins, CountMetrics, calibration_error, log_loss, ranks


def _predictions(labels, probabilities):
    names = tuple(f"class {label}" for label in range(probabilities.shape[1]))
    return Predictions(names, [str(index) for index in range(len(labels))], labels, probabilities)


@st.composite
def _cases(draw):
    """Few images and many, absent classes, one class, many ties, zeros and ones."""
    num_classes = draw(st.integers(1, 9))
    num_images = draw(st.integers(1, 40))
    num_present = draw(st.integers(1, num_classes))
    levels = draw(st.sampled_from([1, 2, 3, 1000]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = random.integers(0, levels + 1, (num_images, num_classes)).astype(np.float64)
    values[values.sum(axis=1) == 0] = 1
    labels = random.choice(num_classes, num_present, replace=False)[
        random.integers(0, num_present, num_images)
    ]
    if draw(st.booleans()):
        values[np.arange(num_images), labels] += levels * random.random(num_images).round(1)
    probabilities = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    return labels, probabilities


def _expected(labels, probabilities):
    """Return the metrics as scikit-learn computes them; NaN for what is not defined."""
    num_classes = probabilities.shape[1]
    predicted, present = probabilities.argmax(axis=1), np.unique(labels)
    every = range(num_classes)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=0
    )
    f1_of = {"labels": present, "zero_division": 0}
    one_hot = np.eye(num_classes)[labels]
    rankable = [label for label in present if len(present) > 1]
    roc = {c: sk.roc_auc_score(labels == c, probabilities[:, c]) for c in rankable}
    pr = {c: sk.average_precision_score(labels == c, probabilities[:, c]) for c in rankable}
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "macro_f1": sk.f1_score(labels, predicted, average="macro", **f1_of),
        "weighted_f1": sk.f1_score(labels, predicted, average="weighted", **f1_of),
        "roc_auc": np.mean(list(roc.values())) if roc else np.nan,
        "pr_auc": np.mean(list(pr.values())) if pr else np.nan,
        "brier_score": np.mean(np.square(probabilities - one_hot).sum(axis=1)),
        "cohen_kappa": sk.cohen_kappa_score(labels, predicted, labels=every),
        "matthews_corrcoef": sk.matthews_corrcoef(labels, predicted),
    }
    if num_classes == 2:
        expected["brier_score"] /= 2
    if num_classes > 1:
        # The probabilities as they are, also if they do not sum to 1 in all digits.
        clipped = np.clip(probabilities.astype(float), np.finfo(np.float32).eps, 1)
        expected["log_loss"] = -np.log(clipped[np.arange(len(labels)), labels]).mean()
    if num_classes > 5:
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
        expected["top5_accuracy"] = (order == labels[:, None]).any(axis=1).mean()
    per_class = [
        {"precision": precision[c], "recall": recall[c], "f1": f1[c], "support": support[c],
         "roc_auc": roc.get(c, np.nan), "pr_auc": pr.get(c, np.nan)}
        for c in every
    ]  # fmt: skip
    matrix = sk.confusion_matrix(labels, predicted, labels=every).tolist()
    return expected, per_class, matrix


def _nan_for_none(values):
    return {name: np.nan if value is None else value for name, value in values.items()}


def _check(labels, probabilities):
    ours = all_metrics(_predictions(labels, probabilities))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of what is not defined
        expected, per_class, matrix = _expected(labels, probabilities)
    found = _nan_for_none({name: ours[name] for name in expected})
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)
    for values, wanted in zip(ours["per_class"].values(), per_class, strict=True):
        values.pop("intervals")
        assert _nan_for_none(values) == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    if "confusion_matrix" in ours:
        assert ours["confusion_matrix"] == matrix


@settings(max_examples=100, deadline=None)
@given(_cases())
def test_all_metrics_equal_scikit_learn_on_awkward_input(case):
    _check(*case)


def test_all_metrics_equal_scikit_learn_for_a_thousand_classes():
    random = np.random.default_rng(0)
    labels = random.integers(0, 990, 3000)  # some classes have no image
    scores = random.normal(size=(3000, 1000)).round(2)  # some are equal
    scores[np.arange(3000), labels] += 3
    probabilities = np.exp(scores)
    _check(labels, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32))


@pytest.mark.parametrize("num_classes", [2, 3])
def test_log_loss_and_brier_score_are_those_of_scikit_learn(num_classes):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(num_classes, 0.05), 300).astype(np.float32)
    labels = random.integers(0, num_classes, 300)
    assert (probabilities[np.arange(300), labels] < 1e-9).any()  # the limit of log_loss matters
    ours = all_metrics(_predictions(labels, probabilities))
    every, name = range(num_classes), "y_proba"
    if name not in sk.log_loss.__wrapped__.__code__.co_varnames:  # scikit-learn before 1.9
        name = "y_pred"
    expected = sk.log_loss(labels, **{name: probabilities}, labels=every)
    assert ours["log_loss"] == pytest.approx(expected, rel=1e-5)
    if hasattr(sk, "d2_brier_score"):  # brier_score_loss of several classes came with it
        given = probabilities if num_classes > 2 else probabilities[:, 1]
        expected = sk.brier_score_loss(labels, given)
        assert ours["brier_score"] == pytest.approx(expected, rel=1e-5)


def test_hand_computed_numbers():
    labels = np.array([0, 0, 1, 1, 2])
    probabilities = np.array([
        [0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.75, 0], [0.5, 0.5, 0], [0.25, 0.25, 0.5],
    ])  # fmt: skip
    ours = all_metrics(_predictions(labels, probabilities))
    assert ours["confusion_matrix"] == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]  # the first of a tie
    assert ours["accuracy"] == 0.6
    assert ours["balanced_accuracy"] == pytest.approx(2 / 3)
    assert ours["cohen_kappa"] == pytest.approx((0.6 - 9 / 25) / (1 - 9 / 25))
    # (5 * 3 - 9) / sqrt((25 - 9) * (25 - 9)), after Gorodkin
    assert ours["matthews_corrcoef"] == pytest.approx(6 / 16)
    # 0: 2 of 6 pairs above, 3 equal; 1: 3.5 of 6, 2 of 4 places ...; 2: 4 of 4.
    assert ours["per_class"]["class 2"]["roc_auc"] == 1
    assert ours["per_class"]["class 0"]["roc_auc"] == pytest.approx((2.5 + 1) / 6)
    assert ours["brier_score"] == pytest.approx((0.375 + 0.875 + 0.125 + 0.5 + 0.375) / 5)
    assert ours["log_loss"] == pytest.approx(
        -np.log([0.5, 0.25, 0.75, 0.5, 0.5]).mean()
    )  # fmt: skip


def test_metrics_that_are_not_defined_are_none_and_have_no_interval():
    ours = all_metrics(_predictions(np.zeros(5, int), np.tile([0.75, 0.25], (5, 1))))
    undefined = {"roc_auc", "pr_auc", "cohen_kappa"}
    assert {name for name in HEADLINE_METRICS if ours.get(name, 0) is None} == undefined
    assert set(ours["intervals"]) == set(HEADLINE_METRICS) - undefined - {
        *("top5_accuracy", "log_loss")  # all losses are equal
    }
    assert ours["per_class"]["class 1"]["intervals"] == {}


def test_counts_whose_products_do_not_fit_into_an_integer():
    counts = np.array([[9, 8], [10, 10], [11, 9]])
    small, large = (CountMetrics(*each).headline() for each in (counts, counts * 10**6))
    for name, value in small.items():
        assert large[name] == pytest.approx(value), name


def test_calibration_error_equals_a_plain_loop():
    for seed in range(50):
        random = np.random.default_rng(seed)
        probabilities = random.dirichlet(np.ones(7), 60)
        labels = random.integers(0, 6, 60)
        confidence = probabilities.max(axis=1)
        correct = probabilities.argmax(axis=1) == labels
        expected = 0.0
        bins = CalibrationBins(confidence, correct).as_list()
        for low in np.arange(15) / 15:
            inside = (confidence >= low) & (confidence < low + 1 / 15)
            if inside.any():
                gap = abs(correct[inside].mean() - confidence[inside].mean())
                expected += inside.mean() * gap
                first = bins.pop(0)
                assert first == pytest.approx({
                    "from": low, "to": low + 1 / 15, "images": inside.sum(),
                    "confidence": confidence[inside].mean(), "accuracy": correct[inside].mean(),
                })  # fmt: skip
        assert bins == []
        found = calibration_error(labels=labels, probabilities=probabilities)
        assert found == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(_cases(), st.integers(0, 99))
def test_the_order_of_the_images_does_not_matter(case, seed):
    labels, probabilities = case
    order = np.random.default_rng(seed).permutation(len(labels))
    one = all_metrics(_predictions(labels, probabilities))
    other = all_metrics(_predictions(labels[order], probabilities[order]))
    for name in HEADLINE_METRICS:
        assert _nan_for_none({"": one.get(name)}) == pytest.approx(
            _nan_for_none({"": other.get(name)}), nan_ok=True
        )
        ends = [each["intervals"].get(name) for each in (one, other)]
        assert (ends[0] is None) == (ends[1] is None)
        assert ends[0] is None or ends[0] == pytest.approx(ends[1])
    assert one["confusion_matrix"] == other["confusion_matrix"]


def test_the_first_of_two_equal_probabilities_counts_as_the_answer():
    given = {"labels": [0, 0, 1], "probabilities": [[0.5, 0.5]] * 3}
    assert ranks(**given).tolist() == [0, 0, 1]
    assert log_loss(**given) == pytest.approx(np.log(2))
