"""`cnnkit features` and `cnnkit filters`: the files they write, and what they refuse."""

from __future__ import annotations

import json
import os
import shutil

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


def test_the_files_are_one_png_per_layer_an_overview_and_a_page(trained_run, image, tmp_path):
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

    done = _run("features", image, "--model", trained_run.best, "-o", tmp_path / "out", "--json")
    model = keras.models.load_model(trained_run.best)
    layer = model.get_layer("conv_1")
    layer.activation = keras.activations.linear
    maps = keras.Model(model.input, layer(model.get_layer("rescaling").output))
    values = np.asarray(maps(read_pixels(str(image), PixelSettings((16, 16)))[None]))
    [shown] = json.loads(done.stdout)["layers"]
    assert shown["min"] == pytest.approx(values.min(), abs=1e-5)
    assert shown["max"] == pytest.approx(values.max(), abs=1e-5)


def test_the_table_is_on_stdout_and_the_files_are_in_the_run_by_default(
    trained_run, image, tmp_path
):
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
def test_an_exported_model_is_refused_with_what_to_give_instead(trained_run, tmp_path, words):
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(b"")
    for file in (trained_run.tflite, onnx):
        done = _run(*words, "--model", file)
        assert done.exit_code == 2
        assert "Give the run folder or its weights/best.keras" in done.stderr


@pytest.mark.parametrize("words", [["features", "a.png"], ["filters"]])
def test_a_model_without_convolutions_is_refused(trained_run, tmp_path, words):
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
    alone = shutil.copy(trained_run.best, tmp_path)
    done = _run("filters", "--model", alone)
    assert done.exit_code == 2 and "has no class names" in done.stderr
    done = _run("filters", "--model", "nowhere", "--runs-folder", tmp_path)
    assert done.exit_code == 2 and "nowhere is not a run folder" in done.stderr


@pytest.fixture
def copied_run(trained_run, tmp_path):
    """Return the folder of a run that a test may change."""
    run = tmp_path / "runs" / "copied"
    shutil.copytree(trained_run.folder, run)
    return run


@pytest.mark.parametrize("words", [["features", "a.png"], ["filters"]])
def test_weights_that_were_removed_are_named_as_missing(copied_run, words):
    (copied_run / "weights" / "best.keras").unlink()
    done = _run(*words, "--model", copied_run)
    assert done.exit_code == 2
    best = os.path.join("weights", "best.keras")
    assert f"{copied_run} has no {best}: the file was removed after the training." in done.stderr
    assert "to the end" not in done.stderr


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["features", "x.png"], "overview.png"),
        (["features", "x.png"], "conv_1.png"),
        (["filters"], "conv_1.png"),
        (["filters"], "conv_1-filters.png"),
    ],
)
def test_a_photo_is_never_replaced(trained_run, image, tmp_path, words, name, overwrite):
    shutil.copy(image, tmp_path / "x.png")
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(image, folder / name)
    words = [tmp_path / word if word == "x.png" else word for word in words]
    done = _run(*words, "--model", trained_run.folder, "-o", folder, *overwrite)
    assert done.exit_code == 2, done.output
    assert f"{folder / name} exists, and cnnkit did not draw it. Choose another --output." in (
        done.stderr
    )
    assert os.listdir(folder) == [name]
    assert (folder / name).read_bytes() == image.read_bytes()


def test_earlier_files_are_replaced_only_with_overwrite(trained_run, image, tmp_path):
    words = ("features", image, "--model", trained_run.folder, "-o", tmp_path / "out")
    assert _run(*words).exit_code == 0
    (tmp_path / "out" / "features.html").write_text("mine")
    done = _run(*words)
    assert done.exit_code == 2
    assert "exists. Choose another --output, or add --overwrite." in done.stderr
    assert (tmp_path / "out" / "features.html").read_text() == "mine"
    assert _run(*words, "--overwrite").exit_code == 0
    assert (tmp_path / "out" / "features.html").read_text() != "mine"


def test_images_of_the_same_name_get_separate_folders(copied_run, image, tmp_path):
    pages = []
    for number, overwrite in ((1, []), (2, []), (3, ["--overwrite"])):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / "0.png"
        noise(20, 20, seed=number).save(path)
        done = _run("features", path, "--model", copied_run, "--json", *overwrite)
        assert done.exit_code == 0, done.output
        pages.append(json.loads(done.stdout)["page"])
    folder = copied_run / "features"
    first, second = folder / "0" / "features.html", folder / "0-2" / "features.html"
    assert pages == [str(first), str(second), str(first)]
    assert first.read_bytes() != second.read_bytes()
    assert sorted(os.listdir(folder)) == ["0", "0-2"]


def _conv_model(*names, bias=0.0):
    from cnnkit.backend import keras

    entering = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(entering)
    for name in names:
        x = keras.layers.Conv2D(2, 3, name=name)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(entering, keras.layers.Dense(3, activation="softmax")(x))
    model.get_layer(names[-1]).bias.assign([0.0, bias])
    return model


def test_layers_with_colliding_names_have_separate_pictures(copied_run, image, tmp_path):
    _conv_model("Overview", "a$b", "a-b").save(copied_run / "weights" / "best.keras")
    done = _run("features", image, "--model", copied_run, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    names = [os.path.basename(layer["file"]) for layer in json.loads(done.stdout)["layers"]]
    assert names == ["Overview-2.png", "a-b.png", "a-b-2.png"]
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*names, "features.html", "overview.png"])
    _conv_model("a", "a-filters").save(copied_run / "weights" / "best.keras")
    done = _run("filters", "--model", copied_run, "-o", tmp_path / "filters", "--channels", 1)
    assert done.exit_code == 0, done.output
    files = ["a-filters-2.png", "a-filters.png", "a.png", "filters.html"]
    assert sorted(os.listdir(tmp_path / "filters")) == files


def test_dollars_and_strange_letters_in_names_are_drawn_as_they_are(copied_run, image, tmp_path):
    classes = copied_run / "classes.txt"
    names = classes.read_text().replace("blue", "cat_$\\frac$ \u732b")
    classes.write_text(names, encoding="utf-8")
    strange = image.rename(tmp_path / "cost $\\frac$ \u732b\n.png")
    run = copied_run.rename(copied_run.with_name("$\\frac$"))
    _conv_model("conv$_$").save(run / "weights" / "best.keras")
    done = _run("features", strange, "--model", run, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "conv-_-.png").is_file()
    # TensorFlow cannot compile a layer with such a name
    _conv_model("conv").save(run / "weights" / "best.keras")
    words = ("--images", strange, "--channels", 1)
    done = _run("filters", "--model", run, "-o", tmp_path / "filters", *words)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("words", [["features", "IMAGE"], ["filters"]])
@pytest.mark.parametrize("bias", [float("nan"), float("inf")])
def test_a_model_with_nan_or_infinite_numbers_is_a_failure(
    copied_run, image, tmp_path, words, bias
):
    _conv_model("good", "bad", bias=bias).save(copied_run / "weights" / "best.keras")
    words = [image if word == "IMAGE" else word for word in words]
    done = _run(*words, "--model", copied_run)
    assert done.exit_code == 1, done.output
    assert "The numbers of the layer bad are not finite (NaN or infinite)" in done.stderr
    assert not (copied_run / words[0]).exists()
