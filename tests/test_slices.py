"""Slices: the exact test against SciPy, and what is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.slices import find_slices, property_of, worse_p_values


def _predictions(is_right, *, labels=None, paths=None, **columns):
    """Return answers of which each is right or wrong, in three classes."""
    is_right = np.asarray(is_right, dtype=bool)
    labels = np.arange(len(is_right)) % 3 if labels is None else np.asarray(labels)
    answers = np.where(is_right, labels, (labels + 1) % 3)
    probabilities = np.full((len(labels), 3), 0.2)
    probabilities[np.arange(len(labels)), answers] = 0.6
    paths = [f"{index}.png" for index in range(len(labels))] if paths is None else paths
    return Predictions(("cat", "dog", "owl"), paths, labels, probabilities, columns)


@settings(deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=2, max_size=6),
)
def test_p_values_are_those_of_fishers_exact_test(sizes):
    right = [hits for hits, _ in sizes]
    images = [hits + misses for hits, misses in sizes]
    total_right, total = sum(right), sum(images)
    ours = worse_p_values(right, images, total_right, total)
    for hits, size, p_value in zip(right, images, ours, strict=True):
        others = [total_right - hits, total - size - (total_right - hits)]
        expected = fisher_exact([[hits, size - hits], others], alternative="less").pvalue
        assert p_value == pytest.approx(expected, rel=1e-6)


def test_a_slice_that_is_worse_comes_first_with_its_numbers():
    camera = ["old" if index % 4 == 0 else "new" for index in range(400)]
    is_right = [index % 8 != 0 and index % 40 != 1 for index in range(400)]
    first, *others = find_slices(_predictions(is_right, camera=camera))
    assert (first.by, first.value, first.images, first.errors) == ("camera", "old", 100, 50)
    ends = binomtest(50, 100).proportion_ci(method="wilson")
    assert (first.accuracy_low, first.accuracy_high) == pytest.approx((ends.low, ends.high))
    assert first.accuracy == 0.5 and first.rest_accuracy == pytest.approx(290 / 300)
    assert first.is_worse and first.p_corrected == pytest.approx(first.p_value * 5)
    assert [each.is_worse for each in others] == [False] * 4
    assert {(each.by, each.value) for each in others} == {
        ("camera", "new"), ("class", "cat"), ("class", "dog"), ("class", "owl"),
    }  # fmt: skip


def test_what_the_classes_of_a_slice_make_likely_is_shown():
    """Pictures by night are worse only because most of them show owls, the hard class."""
    labels = np.repeat([0, 1, 2], 100)
    is_right = np.concatenate([np.ones(200), np.arange(100) % 2])
    time = [
        "night" if label == 2 or index % 50 == 0 else "day" for index, label in enumerate(labels)
    ]
    by_name = {(each.by, each.value): each for each in find_slices(
        _predictions(is_right, labels=labels, time=time)
    )}  # fmt: skip
    night = by_name["time", "night"]
    assert night.is_worse
    assert night.accuracy == night.expected_accuracy == pytest.approx(54 / 104)
    assert by_name["class", "owl"].expected_accuracy == by_name["class", "owl"].accuracy == 0.5


def test_folders_are_compared_without_those_of_the_classes():
    labels = np.arange(120) % 3
    names = ("cat", "dog", "owl")
    paths = [f"test/{names[x]}/camera{i % 2}/{i}.jpg" for i, x in enumerate(labels)]
    found = find_slices(_predictions(np.ones(120), labels=labels, paths=paths))
    folders = {(each.value, each.images) for each in found if each.by == "folder"}
    assert folders == {("test/camera0", 60), ("test/camera1", 60)}
    paths = [f"/data/{names[x]}/{i}.jpg" for i, x in enumerate(labels)]
    found = find_slices(_predictions(np.ones(120), labels=labels, paths=paths))
    assert {each.by for each in found} == {"class"}


def test_a_column_that_repeats_another_or_has_one_value_is_left_out():
    labels = np.arange(90) % 3
    found = find_slices(
        _predictions(
            np.ones(90),
            labels=labels,
            kind=[str(label) for label in labels],
            year=["2024"] * 90,
            feet=["four" if label < 2 else "two" for label in labels],
            name=[f"n{index}" for index in range(90)],  # no slice has ten images
            legs=["4" if label < 2 else "2" for label in labels],
        )
    )
    assert {each.by for each in found} == {"class", "feet"}  # legs divide the images like feet


def test_small_slices_are_not_tried():
    camera = ["rare"] * 9 + ["common"] * 91
    found = find_slices(_predictions([False] * 9 + [True] * 91, camera=camera))
    assert {each.by for each in found} == {"class"}
    assert find_slices(_predictions([True] * 12)) == []


def test_many_numbers_become_four_ranges_and_few_stay_as_they_are():
    values, positions = property_of([str(number) for number in range(100)])
    assert values == [
        ("lowest", "0 to 24"), ("low", "25 to 49"), ("high", "50 to 74"), ("highest", "75 to 99"),
    ]  # fmt: skip
    assert np.bincount(positions).tolist() == [25, 25, 25, 25]
    values, positions = property_of(["10", "9", "", "9.5", "10"])
    assert [value.text for value in values] == ["9", "9.5", "10"]
    assert positions.tolist() == [2, 0, -1, 1, 2]


def test_equal_numbers_stay_together_and_unknown_ones_are_in_no_range():
    texts = ["7"] * 60 + [str(number) for number in range(100, 112)] + [""]
    values, positions = property_of(texts)
    assert values == [("lowest", "7 to 7"), ("highest", "100 to 111")]
    assert np.bincount(positions + 1).tolist() == [1, 60, 12]


def test_words_among_numbers_make_a_column_of_words():
    texts = [str(number) for number in range(30)] + ["nan"]
    assert len(property_of(texts)[0]) == 31


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).map(str), min_size=1, max_size=80))
def test_every_number_is_inside_the_range_of_its_slice(texts):
    values, positions = property_of(texts)
    assert positions.min() >= 0 and positions.max() < len(values)
    order = np.argsort([float(text) for text in texts], kind="stable")
    assert (np.diff(positions[order]) >= 0).all()


@pytest.mark.slow
def test_without_any_effect_a_slice_is_called_worse_in_at_most_one_of_twenty_cases():
    random = np.random.default_rng(0)
    false = 0
    for _ in range(1000):
        columns = {
            name: [str(value) for value in random.integers(0, 4, 300)] for name in ("a", "b", "c")
        }
        found = find_slices(_predictions(random.random(300) < 0.8, **columns))
        false += found[0].is_worse
    assert false <= 65  # 50, and twice the standard deviation of a binomial
