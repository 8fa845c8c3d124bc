"""predictions.csv: what is written is read back unchanged, and wrong files are refused by line."""

from __future__ import annotations

import csv
import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.errors import DataError
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import write_predictions_file
from cnnkit.evaluation.predictions_reader import read_predictions

_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), min_size=1)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=9)


def _predictions(num_images, num_classes, seed=0, **more):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(num_classes, 0.3), num_images).astype(np.float32)
    labels = random.integers(0, num_classes, num_images)
    names = tuple(f"class {label}" for label in range(num_classes))
    paths = [f"{index}.png" for index in range(num_images)]
    return Predictions(**{
        "class_names": names, "paths": paths, "labels": labels, "probabilities": probabilities,
        **more,
    })  # fmt: skip


def _check_equal(one, other):
    assert one.class_names == other.class_names
    assert list(one.paths) == list(other.paths)
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.probabilities, other.probabilities)
    assert {**one.columns} == {**other.columns}


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 12), st.integers(0, 999))
def test_what_is_written_is_read_back_unchanged(
    tmp_path_factory, data, num_classes, num_images, seed
):
    def texts(values, number, **more):
        return data.draw(st.lists(values, min_size=number, max_size=number, **more))

    original = _predictions(
        num_images,
        num_classes,
        seed,
        class_names=tuple(texts(_NAMES, num_classes, unique=True)),
        paths=texts(_TEXTS, num_images),
        columns={"camera": texts(_TEXTS, num_images)},
    )
    path = tmp_path_factory.mktemp("written") / "predictions.csv"
    write_predictions_file(original, path)
    _check_equal(read_predictions(path), original)


@pytest.mark.parametrize("num_classes", [60, 61, 300])
def test_many_classes_are_read_back_from_the_files_next_to_it(num_classes, tmp_path):
    original = _predictions(500, num_classes, columns={"site": ["a"] * 500})
    write_predictions_file(original, tmp_path / "predictions.csv")
    found = read_predictions(tmp_path)
    _check_equal(found, original)
    assert (tmp_path / "probabilities.npy").exists() == (num_classes > 60)
    assert isinstance(found.probabilities, np.memmap) == (num_classes > 60)


def test_a_file_of_another_tool_may_have_its_columns_in_another_order(tmp_path):
    rows = [
        ["p_b", "when", "label", "p_a", "path"],
        ["0.25", "a, b", "a", "0.75", "x.png"],
        [".5", "", "b", "5e-1", 'y "1".png'],
    ]
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        text = io.StringIO()
        csv.writer(text, quoting=quoting).writerows(rows)
        (tmp_path / "other.csv").write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())
        found = read_predictions(tmp_path / "other.csv")
        assert found.class_names == ("b", "a")
        assert found.labels.tolist() == [1, 0]
        assert found.probabilities.tolist() == [[0.25, 0.75], [0.5, 0.5]]
        assert list(found.paths) == ["x.png", 'y "1".png']
        assert found.columns == {"when": ["a, b", ""]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty. Expected path,label and a column p_<class>"),
        ("x,y\n", "lacks the column path and the column label: its first line has x, y"),
        ("path,label\n", "no probabilities.npy and no classes.txt next to it. Add the columns"),
        ("path,label,p_a,p_b\n", "has no row below its header"),
        ("path;label\nx;a\n", "lacks the column path and .* separated by commas"),
        ("path,label,p_a,p_a\nx,a,1,0\n", "has the column p_a more than once"),
        ("path,label,p_a,p_b\nx,c,1,0\n", "the label c in line 2, but no such class. Cl"),
        ("path,label,p_a,p_b\nx,a,1,0\n\ny,,1,0\n", "has no label in line 4. Expected"),
        ("path,label,p_a,p_b\nx,a,1\n", "has 3 cells in line 2, but 4 in its header"),
        ("path,label,p_a,p_b\nx\n", "has 1 cell in line 2, but 4 in its header"),
        ("path,label,p_a,p_b\nx,a,1,0,2\n", "has 5 cells in line 2, but 4 in its header"),
        ("p_a,p_b,path,label\n1,0,x\n", "has 3 cells in line 2, but 4 in its header"),
        ("path,label,p_a,p_b\nx,a,1,0\ny,a,x,0\n", "has x as p_a in line 3. Expected a number"),
        ("path,label,p_a,p_b\nx,a,,0\n", "has no p_a in line 2. Expected a number"),
        ("path,label,p_a,p_b\nx,a,nan,0\n", "in line 2: it has nan, which is not a probability"),
        ("path,label,p_a,p_b\nx,a,inf,0\n", "in line 2: it has inf, which is not a probability"),
        ("path,label,p_a,p_b\nx,a,1.5,-0.5\n", "in line 2: it has -0.5, .* logits"),
        ("path,label,p_a,p_b\nx,a,3,2\n", "it sums to 5.000, not 1. If these are logits"),
        ("path,label,p_a,p_b\nx,a,75,25\n", "sums to 100.000, not 1. If these are percentages"),
        ("path,label,p_a,p_b\rx,a,1,0\r", "lines that end with a carriage return alone"),
        ('path,label,p_a,p_b\n"x,a,1,0\n', "a quotation mark that is not closed, in line 2"),
        ("path,label,p_a,p_b\n" + '"x,a,1,0\n' + "y,a,1,0\n" * 999, "not closed, in line 2"),
        ("path,label,prediction,p_a,p_b\nx,a,b,0.7,0.3\n", "the prediction b in line 2, but the"),
        ("path,label,prediction,p_a,p_b\nx,a,,0.7,0.3\n", "has no prediction in line 2, but"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_the_line(text, words, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as error:
        read_predictions(path)
    assert str(error.value).startswith(str(path))


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none.csv cannot be read: No such file"):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "wide.csv").write_text("path,label\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"wide.csv is UTF-16 text. Save it as UTF-8"):
        read_predictions(tmp_path / "wide.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path,label,p_café,p_b\nx,b,0,1\n".encode("latin-1"), "its first line has other bytes"),
        ("path,label,p_a,p_b\nx,café,0,1\n".encode("latin-1"), "line 2 has the label caf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a text file. Give a CSV file"),
    ],
)
def test_what_is_not_utf8_is_refused_and_not_garbled(content, words, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_predictions(path)


def test_a_path_may_have_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "paths.csv"
    path.write_bytes("path,label,p_a,p_b\ncafé.png,a,1,0\n".encode("latin-1"))
    assert os.fsencode(read_predictions(path).paths[0]) == b"caf\xe9.png"


def test_the_files_of_two_evaluations_are_not_mixed(tmp_path):
    write_predictions_file(_predictions(20, 61), tmp_path / "predictions.csv")
    table, classes = tmp_path / "predictions.csv", tmp_path / "classes.txt"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    with pytest.raises(DataError, match="has 19 rows, but probabilities.npy next to it has 20"):
        read_predictions(table)
    classes.write_text("a\nb\n")
    with pytest.raises(DataError, match=r"\(20, 61\), and classes.txt has 2 names"):
        read_predictions(table)
    (tmp_path / "probabilities.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match="probabilities.npy next to it is damaged"):
        read_predictions(table)


def test_a_column_of_the_data_cannot_replace_one_of_the_predictions(tmp_path):
    original = _predictions(2, 2, columns={"p_site": ["a", "b"]})
    with pytest.raises(DataError, match="column p_site of the data cannot be kept"):
        write_predictions_file(original, tmp_path / "predictions.csv")


def test_equal_probabilities_after_rounding_may_be_either_class(tmp_path):
    path = tmp_path / "ties.csv"
    path.write_text("path,label,prediction,p_a,p_b\nx,a,b,0.5,0.5\ny,a,a,0.5,0.5\n")
    assert read_predictions(path).predicted.tolist() == [0, 0]


def test_some_of_the_images_keep_what_belongs_to_them():
    original = _predictions(9, 3, columns={"site": list("abcdefghi")})
    for images in (original.labels == original.labels[4], np.array([4, 2])):
        part = original.subset(images)
        positions = np.arange(9)[images]
        assert part.columns["site"] == [original.columns["site"][each] for each in positions]
        assert part.predicted.tolist() == original.predicted[positions].tolist()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"labels": np.array([0, 3])}, "must be from 0 to 2; received 0 to 3"),
        ({"labels": np.array([0.0, 1.0])}, "must be integers; received float64"),
        ({"paths": ["a"]}, "paths has 1 value for 2 images"),
        ({"class_names": ("a", "b")}, r"received \(2,\) and \(2, 3\)"),
        ({"probabilities": np.array([[0, 0, 1], [np.nan, 0, 1]])}, "Row 1 of prob.* has nan"),
        ({"labels": np.zeros(0, int), "probabilities": np.zeros((0, 3))}, "at least one image"),
    ],
)  # fmt: skip
def test_impossible_predictions_are_refused(more, words):
    with pytest.raises(ValueError, match=words):
        _predictions(2, 3, **more)
