"""Thousands of classes: files, pictures, tables and messages that people can still use."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import cnnkit.data.split.units as units
from cnnkit.data.count_table import count_table
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.records import ImageRecord
from cnnkit.errors import UsageError
from cnnkit.evaluation.all_metrics import HEADLINE_METRICS, all_metrics
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.scores import Evaluation
from cnnkit.metrics import most_confused, ranks
from cnnkit.plots.confusion_matrix import plot_confusion_matrix, similarity_order
from cnnkit.training.class_weights import class_weights


def _evaluation(folder, num_classes, num_images=400, seed=0):
    random = np.random.default_rng(seed)
    probabilities = random.random((num_images, num_classes)).astype(np.float32) ** 9
    labels = random.integers(0, num_classes, num_images)
    probabilities[np.arange(num_images), labels] += random.integers(0, 2, num_images)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = tuple(f"class {label:04d}" for label in range(num_classes))
    paths = [f"{index}.png" for index in range(num_images)]
    folder.mkdir(parents=True, exist_ok=True)
    return Evaluation(folder, Predictions(names, paths, labels, probabilities))


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("num_classes", [7, 60])
def test_up_to_sixty_classes_the_matrix_is_in_metrics_json(num_classes, tmp_path):
    evaluation = _evaluation(tmp_path, num_classes)
    evaluation.write()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["confusion_matrix"] == evaluation.confusion_matrix.tolist()
    assert list(metrics) == [
        "num_images", *HEADLINE_METRICS, "intervals", "per_class", "reliability",
        "confusion_matrix",
    ]  # fmt: skip
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "confusion_matrix.png", "confusion_matrix.svg", "confusion_matrix_normalized.png",
        "confusion_matrix_normalized.svg", "metrics.json", "predictions.csv", "reliability.png",
        "reliability.svg",
    ]  # fmt: skip
    assert f"p_class {num_classes - 1:04d}" in _rows(tmp_path / "predictions.csv")[0]
    assert evaluation.text().count("\nclass 0") == num_classes


@pytest.mark.parametrize("num_classes", [61, 1000])
def test_with_more_classes_the_matrix_and_the_probabilities_have_their_own_files(
    num_classes, tmp_path
):
    evaluation = _evaluation(tmp_path, num_classes)
    evaluation.write()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics == evaluation.metrics
    assert "confusion_matrix" not in metrics
    assert (tmp_path / "metrics.json").stat().st_size < 600 * num_classes + 10_000

    label_of = {name: label for label, name in enumerate(evaluation.class_names)}
    matrix = np.zeros((num_classes, num_classes), int)
    for row in _rows(tmp_path / metrics["confusion_matrix_file"]):
        matrix[label_of[row["true"]], label_of[row["predicted"]]] = int(row["images"])
    assert np.array_equal(matrix, evaluation.confusion_matrix)
    assert matrix.sum() == metrics["num_images"]

    first = metrics["most_confused"][0]
    wrong = matrix - np.diag(np.diag(matrix))
    assert first["images"] == wrong.max()
    assert wrong[label_of[first["true"]], label_of[first["predicted"]]] == first["images"]
    assert len(metrics["most_confused"]) == 30

    stored = np.load(tmp_path / "probabilities.npy")
    assert stored.dtype == np.float32
    assert np.array_equal(stored, evaluation.predictions.probabilities)
    rows = _rows(tmp_path / "predictions.csv")
    ranks = [f"{key}_{rank}" for rank in (2, 3, 4, 5) for key in ("prediction", "probability")]
    assert list(rows[0]) == ["path", "label", "prediction", "probability", *ranks]
    for row, probabilities in zip(rows, evaluation.predictions.probabilities, strict=True):
        order = np.argsort(-probabilities)[:5]
        found = [row["prediction"], *(row[f"prediction_{rank}"] for rank in (2, 3, 4, 5))]
        assert found == [evaluation.class_names[label] for label in order]


def test_the_table_shows_the_worst_classes_and_says_where_the_others_are(tmp_path):
    evaluation = _evaluation(tmp_path, 1000)
    text = evaluation.text()
    lines = text.splitlines()
    assert "the 20 classes with the lowest f1:" in lines
    assert lines[-1] == f"and 980 more in {tmp_path / 'metrics.json'}"
    shown = [line.split()[1] for line in lines if line.startswith("class 0")]
    assert len(shown) == 20
    per_class = evaluation.metrics["per_class"]
    scores = [per_class[f"class {number}"] for number in shown]
    assert all(values["support"] for values in scores)
    assert max(values["f1"] for values in scores) == 0


def test_few_of_many_classes_may_have_images(tmp_path):
    evaluation = _evaluation(tmp_path, 100, num_images=3)
    evaluation.write()
    present = len(set(evaluation.predictions.labels.tolist()))
    assert f"the {present} classes with the lowest f1:" in evaluation.text()
    assert f"and {100 - present} more in" in evaluation.text()


@pytest.mark.parametrize("num_classes", [61, 401, 1000])
def test_the_picture_of_many_classes_has_a_size_for_a_screen(num_classes, tmp_path):
    names = [f"$class$ {label} \u732b" for label in range(num_classes)]
    matrix = np.eye(num_classes, dtype=int)
    plot_confusion_matrix(matrix, names, tmp_path / "right.png")
    matrix[3, 4] = 5
    plot_confusion_matrix(matrix, names, tmp_path / "wrong.png")
    pictures = []
    for name in ("right", "wrong"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert max(picture.size) <= 2100
            pictures.append(np.asarray(picture.convert("L"), int))
    right_half = pictures[0].shape[1] // 2
    assert np.abs(pictures[0] - pictures[1])[:, right_half:].max() > 100  # the bars


def test_classes_that_are_confused_are_drawn_next_to_each_other():
    random = np.random.default_rng(0)
    families = random.permutation(np.arange(24) % 8)  # 8 families of 3 classes
    is_same = families[:, None] == families
    matrix = 50 * np.eye(24, dtype=int) + 10 * is_same + random.integers(0, 3, (24, 24))
    ordered = families[similarity_order(matrix)]
    assert np.count_nonzero(np.diff(ordered)) == 7  # a family is in one piece
    assert similarity_order(matrix[:20, :20]).tolist() == list(range(20))
    assert sorted(similarity_order(np.zeros((500, 500), int)).tolist()) == list(range(500))


def test_the_same_matrix_gives_the_same_svg(tmp_path):
    matrix = np.array([[8, 2], [0, 4]])
    for name in ("one", "two"):
        plot_confusion_matrix(matrix, ["cat", "dog"], tmp_path / f"{name}.png", normalized=True)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    for word in (">80<", ">20<", ">100<", ">predicted class<", ">percent of the true class<"):
        assert word in text


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9), st.integers(1, 9))
def test_top_k_accuracy_equals_a_stable_sort(seed, num_classes, k):
    random = np.random.default_rng(seed)
    probabilities = random.integers(0, 4, (12, num_classes)) / 4  # many are equal
    labels = random.integers(0, num_classes, 12)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    expected = np.mean((order == labels[:, None]).any(axis=1))
    found = ranks(labels=labels, probabilities=probabilities)
    assert np.mean(found < k) == expected


def test_the_commonest_confusions_come_first():
    matrix = np.array([[9, 1, 0], [4, 9, 1], [0, 0, 9]])
    assert most_confused(matrix, 9) == [(1, 0), (0, 1), (1, 2)]
    assert most_confused(matrix, 1) == [(1, 0)]
    assert most_confused(np.eye(3, dtype=int), 9) == []


def test_the_metrics_of_many_classes_are_the_same_numbers():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(61), 61)
    labels = random.integers(0, 60, 61)
    names = tuple(map(str, range(61)))
    many = all_metrics(Predictions(names, names, labels, probabilities))
    fewer = probabilities[:, :60] / probabilities[:, :60].sum(axis=1, keepdims=True)
    few = all_metrics(Predictions(names[:60], names, labels, fewer))
    assert set(few) - set(many) == {"confusion_matrix"}
    assert many["num_images"] == few["num_images"]


@pytest.mark.parametrize("num_classes", [60, 61, 3000])
def test_a_table_of_counts_shows_the_largest_and_the_smallest_of_many_classes(num_classes):
    counts = {
        "train": {f"k{label:04d}": num_classes - label for label in range(num_classes)},
        "test": {f"k{label:04d}": 1 for label in range(num_classes)},
    }
    lines = count_table(counts).splitlines()
    total = num_classes * (num_classes + 1) // 2
    assert lines[-1].split() == ["all", f"{total:,}", f"{num_classes:,}"]
    if num_classes == 60:
        assert len(lines) == 62
        return
    assert len(lines) == 1 + 20 + 1 + 20 + 1
    assert lines[1].startswith("k0000")
    assert lines[-2].startswith(f"k{num_classes - 1:04d}")
    assert lines[21] == f"({num_classes - 40:,} more; --json lists them)"


def test_an_unknown_class_of_class_weights_names_some_classes_only():
    names = [f"class {label}" for label in range(3000)]
    with pytest.raises(UsageError, match="and 2,980 more") as error:
        class_weights({"klass 7": 2.0}, np.zeros(1, int), names)
    assert len(str(error.value)) < 500


def test_the_sizes_of_classes_are_counted_once(monkeypatch):
    calls = []
    count = units.class_sizes
    monkeypatch.setattr(units, "class_sizes", lambda found: calls.append(1) or count(found))
    records = [ImageRecord(f"{i}", LocalFile(f"{i}"), f"k{i // 2}") for i in range(200)]
    pool = units.Pool(records, [f"hash {i}" for i in range(200)], [None] * 200)
    assert {pool.size_of(f"k{label}") for label in range(100)} == {"2 distinct images"}
    assert len(calls) == 1
