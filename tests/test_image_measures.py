"""What is measured of an image, and the other columns of a manifest."""

from __future__ import annotations

import json

import numpy as np
import pytest
from images import write_image
from PIL import Image

from cnnkit.config.data_section import ShapesConfig
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.sources.extra_columns import extra_columns
from cnnkit.data.sources.listing import read_source
from cnnkit.errors import DataError, ImageError
from cnnkit.evaluation.image_measures import light_of, read_and_measure

_SETTINGS = PixelSettings((32, 32))


def test_size_and_type_are_those_of_the_file_and_the_pixels_those_of_the_model(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", "JPEG")  # by its content, not its name
    found, measures = read_and_measure(LocalFile(tmp_path / "a.png"), _SETTINGS)
    assert (found == read_pixels(str(tmp_path / "a.png"), _SETTINGS)).all()
    assert measures["num_pixels"] == "5400"
    assert measures["aspect_ratio"] == "1.5"
    assert measures["file_type"] == "JPEG"
    assert (measures["brightness"], measures["sharpness"]) == light_of(found)


def test_the_size_is_that_of_the_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (80, 40)).save(tmp_path / "a.jpg", exif=exif)
    assert read_and_measure(LocalFile(tmp_path / "a.jpg"), _SETTINGS)[1]["aspect_ratio"] == "0.5"


def test_brightness_and_sharpness_are_computed_by_hand():
    grey = np.random.default_rng(1).integers(0, 256, (9, 7, 1), dtype=np.uint8)
    rows = np.pad(grey[..., 0].astype(float), 1, mode="reflect")
    laplacian = (
        rows[:-2, 1:-1] + rows[2:, 1:-1] + rows[1:-1, :-2] + rows[1:-1, 2:] - 4 * rows[1:-1, 1:-1]
    )
    brightness, sharpness = light_of(grey)
    assert float(brightness) == pytest.approx(grey.mean(), rel=1e-3)
    assert float(sharpness) == pytest.approx(laplacian.var(), rel=1e-3)
    assert light_of(np.repeat(grey, 3, axis=2)) == (brightness, sharpness)


def test_an_image_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(ImageError):
        read_and_measure(LocalFile(tmp_path / "a.png"), _SETTINGS)


@pytest.fixture
def folder(tmp_path):
    """Three images in a folder for manifests."""
    for index in range(3):
        write_image(tmp_path / "photos" / f"{index}.png", seed=index)
    return tmp_path


def _paths(manifest):
    return [record.path for record in read_source(manifest, ShapesConfig()).records]


def test_a_csv_gives_its_other_columns_in_the_order_of_the_paths(folder):
    table = folder / "all.csv"
    table.write_text(
        "Path;LABEL;Camera;split;note;;group\n"
        "photos/2.png;cat;old;train;;x;g1\n"
        "photos/0.png;cat; new ;test;;x;g2\n"
        "photos/1.png;dog;;test;;x;g2\n"
    )
    paths = _paths(table)
    assert paths == ["photos/0.png", "photos/1.png", "photos/2.png"]
    found = extra_columns(table, paths)
    assert found == {"Camera": ["new", "", "old"], "group": ["g2", "g2", "g1"]}
    assert extra_columns(table, ["photos/2.png", "elsewhere.png"]) == {
        "Camera": ["old", ""],
        "group": ["g1", ""],
    }


def test_json_lines_give_texts_numbers_and_truth_values(folder):
    lines = folder / "all.jsonl"
    rows = [
        {"path": "photos/0.png", "label": "cat", "iso": 800, "flash": True, "tags": ["a"]},
        {"path": "photos/1.png", "label": "dog", "iso": 1.50, "flash": None, "lens": "50 mm"},
    ]
    lines.write_text("\n".join(map(json.dumps, rows)))
    assert extra_columns(lines, _paths(lines)) == {
        "iso": ["800", "1.5"],
        "flash": ["true", ""],
        "lens": ["", "50 mm"],
    }
    lines.write_text("{")
    with pytest.raises(DataError, match=r"all.jsonl, line 1: it is not JSON"):
        extra_columns(lines, ["photos/0.png"])


def test_other_sources_have_no_columns(folder):
    assert extra_columns(folder / "photos", ["0.png"]) == {}
    assert extra_columns(folder / "gone.csv", ["0.png"]) == {}
    (folder / "empty.csv").touch()
    assert extra_columns(folder / "empty.csv", ["0.png"]) == {}
