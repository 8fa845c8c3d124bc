"""The built-in data sets: real digits and drawn shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from images import data_config
from PIL import Image
from places import CONFIGS

from cnnkit.config.data_section import ShapesConfig
from cnnkit.data.dataset import load_dataset
from cnnkit.data.sources.builtin import builtin_folder, draw_shape
from cnnkit.data.sources.builtin_names import SHAPE_NAMES, builtin_class_names
from cnnkit.data.sources.class_names import class_names
from cnnkit.errors import DataError
from cnnkit.explore.summarize import summarize


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_digits_are_those_of_scikit_learn(cache):
    from sklearn.datasets import load_digits

    dataset = load_dataset(data_config("digits", image_size=(8, 8), color_mode="grayscale"))
    assert dataset.class_names == tuple("0123456789")
    digits = load_digits()
    order = [int(Path(sample.path).stem) for sample in dataset.samples]
    assert sorted(order) == list(range(1797))
    assert np.array_equal(dataset.labels, digits.target[order])
    expected = np.rint(digits.images[order] * 255 / 16)
    assert np.array_equal(dataset.pixels(range(1797))[..., 0], expected)


def test_shapes_are_balanced_and_written_once(cache):
    shapes = ShapesConfig(num_images=42, image_size=32, seed=3)
    folder = builtin_folder("shapes", shapes)
    counts = {path.name: len(list(path.iterdir())) for path in folder.iterdir()}
    assert counts == {"circle": 11, "square": 11, "star": 10, "triangle": 10}
    with Image.open(folder / "circle" / "000000.png") as image:
        assert image.size == (32, 32)
        image.load()
    (folder / "circle" / "000000.png").unlink()
    assert builtin_folder("shapes", shapes) == folder
    assert not (folder / "circle" / "000000.png").exists()


def test_a_larger_set_of_shapes_begins_with_the_smaller_one(cache):
    small = builtin_folder("shapes", ShapesConfig(num_images=8, image_size=16))
    large = builtin_folder("shapes", ShapesConfig(num_images=16, image_size=16))
    for path in small.rglob("*.png"):
        assert path.read_bytes() == (large / path.relative_to(small)).read_bytes()


def test_another_seed_draws_other_shapes():
    first = draw_shape(0, image_size=32, seed=0)
    assert np.array_equal(first, draw_shape(0, image_size=32, seed=0))
    assert not np.array_equal(first, draw_shape(0, image_size=32, seed=1))
    assert not np.array_equal(first, draw_shape(4, image_size=32, seed=0))


@pytest.mark.parametrize("index", range(8))
def test_a_shape_covers_a_visible_part_of_the_picture(index):
    image = draw_shape(index, image_size=64, seed=0).astype(float)
    corners = np.stack([image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]])
    far = np.linalg.norm(image - np.median(corners, axis=0), axis=-1) > 80
    assert 0.02 < far.mean() < 0.6
    assert SHAPE_NAMES[index % 4] in ("circle", "square", "star", "triangle")


# --- the classes are known without the images


@pytest.mark.parametrize(
    ("name", "shapes"),
    [("digits", {}), *(("shapes", {"num_images": number}) for number in (2, 3, 4, 9))],
)
def test_the_classes_are_those_of_the_written_images(cache, name, shapes):
    config = data_config(name, shapes=ShapesConfig(**shapes))
    known = class_names(config)
    assert not cache.exists()
    folder = builtin_folder(name, config.shapes)
    assert known == tuple(sorted(path.name for path in folder.iterdir()))
    assert known == builtin_class_names(name, config.shapes)


def test_a_folder_has_no_known_classes():
    assert builtin_class_names("./digits", ShapesConfig()) is None


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        ("digits", {"classes": ("1", "x")}, "data.classes lists 1 class without an image to train"),
        ("shapes", {"shapes": ShapesConfig(num_images=1)}, r"has only one class \(circle\)"),
    ],
)
def test_wrong_classes_of_a_built_in_are_refused_without_its_images(
    cache, source, changes, message
):
    with pytest.raises(DataError, match=message):
        class_names(data_config(source, **changes))
    assert not cache.exists()


def test_listed_classes_of_a_built_in_give_the_order(cache):
    assert class_names(data_config("digits", classes=("7", "1"))) == ("7", "1")
    assert not cache.exists()


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_summary_of_a_shipped_config_draws_and_writes_nothing(cache, config):
    assert summarize(config).num_classes > 1
    assert not cache.exists()
