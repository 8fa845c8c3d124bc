"""The galleries of an evaluation: which images are in them, and the sheets with their pictures."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import write_image
from PIL import Image

from cnnkit.data.file_bytes import LocalFile
from cnnkit.evaluation.galleries import find_galleries, write_gallery
from cnnkit.evaluation.predictions import Predictions
from cnnkit.metrics import confusion_matrix, most_confused
from cnnkit.output_guard import is_drawn
from cnnkit.plots.image_sheet import SIDE, CaptionedImage, write_image_sheet

_NAMES = ("cat", "dog", "owl")


def _predictions(labels, probabilities):
    paths = [f"{index}.png" for index in range(len(labels))]
    return Predictions(_NAMES, paths, np.array(labels), np.array(probabilities))


# True classes and answers: 0 is right; 1, 2 and 4 take cats for dogs, 3 a dog for an owl.
_FIVE = _predictions(
    [0, 0, 0, 1, 0],
    [
        [0.9, 0.1, 0.0],
        [0.3, 0.6, 0.1],
        [0.0, 0.8, 0.2],
        [0.0, 0.1, 0.9],
        [0.3, 0.4, 0.3],
    ],
)


def _positions(gallery):
    return [(heading, list(images)) for heading, images in gallery.sections]


def test_the_galleries_have_the_right_images_in_the_right_order():
    confused, errors, uncertain = find_galleries(_FIVE)
    assert _positions(confused) == [
        ("cat \u2192 dog: 3 of 4 images", [2, 1, 4]),
        ("dog \u2192 owl: 1 of 1 image", [3]),
    ]
    assert _positions(errors) == [("", [3, 2, 1, 4])]
    assert _positions(uncertain) == [("", [4, 1, 2, 0, 3])]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_pairs_and_errors_are_those_of_the_confusion_matrix(answers):
    labels = np.array([label for label, _ in answers])
    predicted = np.array([answer for _, answer in answers])
    confused, errors, _ = find_galleries(_predictions(labels, np.eye(3)[predicted] * 0.7 + 0.1))
    matrix = confusion_matrix(labels=labels, predictions=predicted, num_classes=3)
    pairs = most_confused(matrix, 8)
    assert [heading.split(":")[0] for heading, _ in confused.sections] == [
        f"{_NAMES[true]} \u2192 {_NAMES[answer]}" for true, answer in pairs
    ]
    assert [len(images) for _, images in confused.sections] == [matrix[pair] for pair in pairs]
    wrong = [list(images) for _, images in errors.sections]
    assert sorted(sum(wrong, [])) == np.flatnonzero(labels != predicted).tolist()


def test_a_gallery_is_a_csv_of_all_images_and_a_picture_of_the_first(tmp_path):
    files = {f"{i}.png": LocalFile(write_image(tmp_path / f"{i}.png", seed=i)) for i in (2, 1)}
    (tmp_path / "4.png").write_text("no image")
    files["4.png"] = LocalFile(tmp_path / "4.png")
    for gallery in find_galleries(_FIVE):
        write_gallery(gallery, _FIVE, tmp_path / "out", files.get)
    with (tmp_path / "out" / "confident_errors.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["3.png", "2.png", "1.png", "4.png"]
    assert rows[1] == {
        "path": "2.png", "label": "cat", "prediction": "dog", "probability": "0.8",
        "label_probability": "0",
    }  # fmt: skip
    for name in ("most_confused", "confident_errors", "least_certain"):
        assert is_drawn(tmp_path / "out" / f"{name}.png")


def test_without_images_or_errors_there_is_no_picture_and_none_is_left(tmp_path):
    right = _predictions([0, 1], [[0.9, 0.1, 0.0], [0.0, 1.0, 0.0]])
    for name in ("confident_errors", "least_certain"):
        Image.new("L", (1, 1)).save(tmp_path / f"{name}.png")
    for gallery in find_galleries(right):
        write_gallery(gallery, right, tmp_path, lambda path: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confident_errors.csv", "least_certain.csv", "most_confused.csv",
    ]  # fmt: skip
    assert len((tmp_path / "confident_errors.csv").read_text().splitlines()) == 1


def test_a_sheet_shows_each_picture_below_its_heading(tmp_path):
    red = np.full((SIDE, SIDE, 3), (255, 0, 0), np.uint8)
    grey = np.full((SIDE, SIDE, 1), 77, np.uint8)
    sections = [
        ("first", [CaptionedImage(red, ["a", "b"], is_wrong=True)] * 3),
        ("second", [CaptionedImage(grey, ["c" * 200, "d"]), CaptionedImage(None, ["e", "f"])]),
    ]
    write_image_sheet(sections, tmp_path / "sheet.png", columns=2)
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image).astype(int)
    # Frames are drawn over the outermost pixels of a picture.
    inside = (SIDE - 2) ** 2
    assert (pixels == (255, 0, 0)).all(axis=2).sum() == 3 * inside
    assert (pixels == 77).all(axis=2).sum() >= inside
    rows, _ = np.nonzero((pixels == (255, 0, 0)).all(axis=2))
    below, _ = np.nonzero((pixels == 77).all(axis=2))
    assert rows.max() < below.max() and rows.max() - rows.min() > SIDE
    assert pixels.shape[1] < 2 * SIDE + 60  # a long caption does not make it wider


@pytest.mark.parametrize(("heading", "rows"), [("pair", 2), ("", 4)])
def test_short_sections_are_next_to_each_other_if_they_have_headings(tmp_path, heading, rows):
    image = CaptionedImage(np.full((SIDE, SIDE, 3), (255, 0, 0), np.uint8), ["a"])
    write_image_sheet([(heading, [image])] * 4, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        is_red = (np.asarray(sheet).astype(int) == (255, 0, 0)).all(axis=2)
    assert is_red.sum() == 4 * (SIDE - 2) ** 2
    begins = np.flatnonzero(np.diff(is_red.any(axis=1).astype(int)) == 1)
    assert len(begins) == rows


@pytest.mark.parametrize("size", [(40, 200), (200, 40)])
def test_pictures_of_any_proportions_fit_into_their_cells(tmp_path, size):
    path = write_image(tmp_path / "0.png", width=size[0], height=size[1])
    gallery = find_galleries(_FIVE)[2]
    write_gallery(gallery, _FIVE, tmp_path, {"0.png": LocalFile(path)}.get)
    assert is_drawn(tmp_path / "least_certain.png")
