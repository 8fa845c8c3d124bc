"""`cnnkit features`: its files, its answers and its refusals."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from images import noise
from PIL import Image

from cnnkit.cli import main


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "noise.png"
    noise(30, 20, seed=3).save(path)
    return path


def _run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_one_png_a_layer_an_overview_and_a_page(trained_run, image, tmp_path):
    out = tmp_path / "out"
    done = _run("features", image, "--model", trained_run.folder, "-o", out, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert sorted(os.listdir(out)) == ["conv_1.png", "features.html", "overview.png"]
    for name in ("conv_1.png", "overview.png"):
        with Image.open(out / name) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 50
    predicted = _run("predict", image, "--model", trained_run.folder, "--json")
    assert answer["prediction"] == json.loads(predicted.stdout)["prediction"]
    expected = json.loads(predicted.stdout)["probability"]
    assert answer["probability"] == pytest.approx(expected, abs=1e-4)
    [layer] = answer["layers"]
    assert (layer["layer"], layer["shape"]) == ("conv_1", [14, 14, 4])
    assert answer["page"] == str(out / "features.html")


def test_the_numbers_are_those_of_the_keras_layer(trained_run, image, tmp_path):
    from cnnkit.backend import keras
    from cnnkit.data.pixels import PixelSettings, read_pixels

    done = _run("features", image, "--model", trained_run.best, "-o", tmp_path, "--json")
    model = keras.models.load_model(trained_run.best)
    layer = model.get_layer("conv_1")
    layer.activation = keras.activations.linear
    maps = keras.Model(model.input, layer(model.get_layer("rescaling").output))
    values = np.asarray(maps(read_pixels(str(image), PixelSettings((16, 16)))[None]))
    [told] = json.loads(done.stdout)["layers"]
    assert told["min"] == pytest.approx(values.min(), abs=1e-5)
    assert told["max"] == pytest.approx(values.max(), abs=1e-5)


def test_the_table_is_on_stdout_and_the_files_are_in_the_run_by_default(
    trained_run, image, tmp_path
):
    import shutil

    run = tmp_path / "runs" / "copied"
    shutil.copytree(trained_run.folder, run)
    done = _run("features", image, "--runs-folder", run.parent)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split() == ["layer", "maps", "lowest", "highest"] + [
        "most",
        "active",
    ]
    assert "4 of 14 x 14" in done.stdout
    assert (run / "features" / "noise" / "features.html").is_file()
    assert done.stderr == f"run: {run}\n"


def test_a_file_name_that_is_not_utf8(trained_run, image, tmp_path):
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    try:
        os.rename(image, strange)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    done = _run("features", strange, "--model", trained_run.folder, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "caf\ufffd.png" in (tmp_path / "out" / "features.html").read_text(encoding="utf-8")


def test_an_unknown_layer_gets_the_nearest_name_and_the_list(trained_run, image):
    done = _run("features", image, "--model", trained_run.folder, "--layer", "conv1")
    assert done.exit_code == 2
    assert "no convolutional layer conv1. Did you mean conv_1? It has conv_1." in done.stderr


@pytest.mark.parametrize(
    ("content", "reason"), [(b"hello", "text that begins"), (b"", "empty"), (None, "no such file")]
)
def test_a_broken_image_is_a_failure(trained_run, tmp_path, content, reason):
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    done = _run("features", path, "--model", trained_run.folder, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert str(path) in done.stderr and reason in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["features", "a.png"], ["filters"]])
def test_an_exported_model_is_refused_with_what_to_give(trained_run, tmp_path, words):
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(b"")
    for file in (trained_run.tflite, onnx):
        done = _run(*words, "--model", file)
        assert done.exit_code == 2
        assert "give the run folder, or its weights/best.keras" in done.stderr


@pytest.mark.parametrize("words", [["features", "a.png"], ["filters"]])
def test_a_model_without_convolutions_is_refused(trained_run, tmp_path, words):
    import shutil

    from cnnkit.backend import keras

    run = tmp_path / "dense"
    shutil.copytree(trained_run.folder, run)
    image = keras.Input((16, 16, 3), dtype="uint8")
    row = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    keras.Model(image, keras.layers.Dense(3)(row)).save(run / "weights" / "best.keras")
    done = _run(*words, "--model", run)
    assert done.exit_code == 2
    assert "has no convolutional layer" in done.stderr


def test_a_keras_file_outside_a_run_and_a_missing_run(trained_run, tmp_path):
    import shutil

    alone = shutil.copy(trained_run.best, tmp_path)
    done = _run("filters", "--model", alone)
    assert done.exit_code == 2 and "has no class names" in done.stderr
    done = _run("filters", "--model", "nowhere", "--runs-folder", tmp_path)
    assert done.exit_code == 2 and "nowhere is not a run folder" in done.stderr
