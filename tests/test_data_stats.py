"""Counts, sizes and values of a data set against numbers computed by hand."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from images import data_config, file_bytes, write_classes
from PIL import Image

from cnnkit.data.dataset import load_dataset
from cnnkit.data.stats import data_stats


def stats_of(folder, *, as_configured=True, **changes):
    return data_stats(data_config(folder, **changes), as_configured=as_configured)


@pytest.fixture
def two_grey_levels(tmp_path):
    """Return 3 images of level 10 and 1 of level 50, in two classes."""
    for path, level in (("a/1", 10), ("a/2", 10), ("a/3", 10), ("b/1", 50)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("L", (6, 4), level).save(tmp_path / f"{path}.png")
    return tmp_path


def test_mean_and_deviation_by_hand(two_grey_levels):
    found = stats_of(two_grey_levels, as_configured=False).summary
    # (10 + 10 + 10 + 50) / 4 = 20; deviations -10, -10, -10, 30: sqrt(1200 / 4)
    assert found["mean"] == [20, 20, 20]
    assert found["deviation"] == pytest.approx([300**0.5] * 3, abs=1e-4)
    assert found["grey_images"] == 4


def test_mean_and_deviation_are_those_of_the_pixels_that_the_model_sees(tiny_images):
    dataset = load_dataset(data_config(tiny_images, image_size=(9, 5), resize="pad"))
    found = stats_of(tiny_images, image_size=(9, 5), resize="pad").summary
    pixels = dataset.pixels(range(24)).reshape(-1, 3).astype(float)
    assert np.allclose(found["mean"], pixels.mean(axis=0), atol=1e-4)
    assert np.allclose(found["deviation"], pixels.std(axis=0), atol=1e-4)


def test_a_config_splits_as_training_does(tiny_images):
    assert stats_of(tiny_images).counts == load_dataset(data_config(tiny_images)).counts()


def test_a_bare_source_has_only_the_splits_it_brings(tiny_images, tmp_path):
    assert stats_of(tiny_images, as_configured=False).counts == {
        "all": {"blue": 8, "green": 8, "red": 8}
    }
    for split, count in (("train", 3), ("test", 2)):
        write_classes(tmp_path / "set" / split, {"cat": count, "owl": 1}, seed=count)
    assert stats_of(tmp_path / "set", as_configured=False).counts == {
        "train": {"cat": 3, "owl": 1},
        "test": {"cat": 2, "owl": 1},
    }


def test_sizes_are_upright_and_modes_those_of_the_files(two_grey_levels):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.new("RGB", (40, 20), (0, 200, 0))
    (two_grey_levels / "b" / "turned.jpg").write_bytes(file_bytes(turned, "JPEG", exif=exif))
    found = stats_of(two_grey_levels, as_configured=False).summary
    assert found["height"] == {"minimum": 4, "median": 4, "maximum": 40}
    assert found["width"] == {"minimum": 6, "median": 6, "maximum": 20}
    assert found["sizes"] == [
        {"height": 4, "width": 6, "images": 4},
        {"height": 40, "width": 20, "images": 1},
    ]
    assert found["modes"] == {"L": 4, "RGB": 1}
    assert found["formats"] == {"PNG": 4, "JPEG": 1}
    assert found["grey_images"] == 4


def test_what_cannot_be_decoded_is_named_and_counted(two_grey_levels):
    (two_grey_levels / "a" / "text.png").write_text("hello")
    found = stats_of(two_grey_levels, as_configured=False)
    assert found.summary["images"] == 5
    assert found.summary["undecodable"] == 1
    assert found.undecodable == [
        {"path": "a/text.png", "reason": 'it is not an image but text that begins with "hello"'}
    ]
    assert found.summary["mean"] == [20, 20, 20]
    assert (
        'cannot be decoded: a/text.png: it is not an image but text that begins with "hello"'
        in found.text()
    )


def test_a_set_without_one_good_image_still_gets_its_table(tmp_path):
    for name in ("cat/1.png", "owl/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("hello")
    found = stats_of(tmp_path, as_configured=False)
    assert found.summary["mean"] == []
    assert "2 cannot be decoded" in found.text()


def test_what_is_not_counted_is_named(tmp_path):
    write_classes(tmp_path, {"cat": 1, "owl": 1, "yak": 2})
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("hello")
    found = stats_of(tmp_path, as_configured=False)
    assert found.left_aside == [
        "Ignored: 1 file without an image extension (cat/notes.txt).",
        "No image is in the class folder empty: it is empty.",
    ]
    found = stats_of(tmp_path, as_configured=False, classes=("cat", "owl"))
    assert any("2 images of 1 class (yak)" in sentence for sentence in found.left_aside)


def test_the_command_prints_draws_and_writes_json(tiny_images, tmp_path):
    command = [sys.executable, "-m", "cnnkit", "data", "stats", str(tiny_images)]
    done = subprocess.run(
        [*command, "--json", "--plot", tmp_path / "s.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["summary"]["images"] == 24
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.width > 1000
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert text.splitlines()[:2] == ["class  all", "blue     8"]


def test_a_hundred_classes_are_drawn_too(tmp_path):
    from cnnkit.plots.stats_charts import plot_data_stats

    write_classes(tmp_path / "set", {f"class {number:03d}": 1 for number in range(120)})
    plot_data_stats(stats_of(tmp_path / "set", as_configured=False), tmp_path / "s.png")
    assert (tmp_path / "s.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("sample_range", "black_and_white"), [(None, (0, 65535)), ([0, 4095], (0, 4095))]
)
def test_the_samples_of_sixteen_bit_pictures_and_their_range_are_given(
    tmp_path, sample_range, black_and_white
):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(4):
            values = np.full((8, 8), 100 + index, np.uint16)
            values[0, 0] = 4000
            Image.fromarray(values).save(tmp_path / name / f"{index}.png")
    config = data_config(tmp_path, sample_range=sample_range)
    stats = data_stats(config, as_configured=sample_range is not None)
    black, white = black_and_white
    expected = {"images": 8, "minimum": 100, "maximum": 4000, "black": black, "white": white}
    assert stats.summary["samples"] == expected
    assert f"100 to 4000 in 8 pictures of more than 8 bits  (black {black:g}" in stats.text()
