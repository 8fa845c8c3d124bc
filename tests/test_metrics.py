"""Metrics compared with hand numbers, plain loops and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.metrics import accuracy, all_metrics, calibration_error, top_k_accuracy


def _random_case(seed, num_images=60, num_classes=7):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(num_classes), num_images)
    labels = random.integers(0, num_classes - 1, num_images)  # the last class has no image
    return labels, probabilities


@pytest.mark.parametrize("seed", range(5))
def test_all_metrics_equal_scikit_learn(seed):
    from sklearn import metrics as sk

    labels, probabilities = _random_case(seed)
    names = tuple("abcdefg")
    ours = all_metrics(labels=labels, probabilities=probabilities, class_names=names)
    predicted, present = probabilities.argmax(axis=1), np.unique(labels)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        labels, predicted, labels=range(7), zero_division=0
    )
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert ours["balanced_accuracy"] == pytest.approx(recall[present].mean())
    assert ours["macro_f1"] == pytest.approx(f1[present].mean())
    assert ours["log_loss"] == pytest.approx(sk.log_loss(labels, probabilities, labels=range(7)))
    assert ours["top5_accuracy"] == pytest.approx(
        sk.top_k_accuracy_score(labels, probabilities, k=5, labels=range(7))
    )
    assert (
        ours["confusion_matrix"] == sk.confusion_matrix(labels, predicted, labels=range(7)).tolist()
    )
    for label, name in enumerate(names):
        assert ours["per_class"][name] == pytest.approx(
            {
                "precision": precision[label],
                "recall": recall[label],
                "f1": f1[label],
                "support": support[label],
            }
        )


def test_calibration_error_equals_a_plain_loop():
    for seed in range(50):
        labels, probabilities = _random_case(seed)
        confidence = probabilities.max(axis=1)
        correct = probabilities.argmax(axis=1) == labels
        expected = 0.0
        for low in np.arange(15) / 15:
            inside = (confidence >= low) & (confidence < low + 1 / 15)
            if inside.any():
                gap = abs(correct[inside].mean() - confidence[inside].mean())
                expected += inside.mean() * gap
        assert calibration_error(labels=labels, probabilities=probabilities) == pytest.approx(
            expected
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_images_does_not_matter(seed):
    labels, probabilities = _random_case(seed)
    order = np.random.default_rng(seed + 1).permutation(len(labels))
    names = tuple("abcdefg")
    one = all_metrics(labels=labels, probabilities=probabilities, class_names=names)
    other = all_metrics(labels=labels[order], probabilities=probabilities[order], class_names=names)
    assert one["confusion_matrix"] == other["confusion_matrix"]
    assert one["per_class"] == other["per_class"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece", "top5_accuracy"):
        assert one[name] == pytest.approx(other[name]), name


def test_the_first_of_two_equal_probabilities_counts_as_the_answer():
    given = {"labels": [0, 0, 1], "probabilities": [[0.5, 0.5]] * 3}
    assert top_k_accuracy(**given, k=1) == accuracy(**given) == 2 / 3


@pytest.mark.parametrize(
    ("labels", "probabilities", "words"),
    [
        ([], np.zeros((0, 2)), "at least one image"),
        ([0], [[0.5, 0.25, 0.25]], r"received \(1,\) and \(1, 3\)"),
        ([0], [[3.0, 2.0]], "Row 0 of probabilities sums to 5.000"),
    ],
)
def test_impossible_input_is_refused(labels, probabilities, words):
    with pytest.raises(ValueError, match=words):
        all_metrics(labels=labels, probabilities=probabilities, class_names=("a", "b"))
