"""`cnnkit embed`: the features are those that Keras computes, in order, whatever the file."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from foreign_models import keras_model, labels_file, picture, write_tflite
from images import write_image

import cnnkit
from cnnkit.backend import keras, tf
from cnnkit.cli import main
from cnnkit.data.pixels import read_pixels
from cnnkit.embedding.feature_extractor import feature_extractor
from cnnkit.errors import DataError, UsageError
from cnnkit.export import export_run
from cnnkit.foreign.chosen_model import choose_model
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.model.calibrated_layers import feature_model
from cnnkit.model.loading import load_keras_model
from cnnkit.prediction import find_images


def embed(*words):
    return CliRunner().invoke(main, ["embed", *map(str, words)])


def images_of(run):
    return cnnkit.load_config(run.config).data.source


def keras_features(run, paths):
    """Return what Keras gives to the output layer, computed in one batch."""
    info = choose_model(run.folder, run.folder.parent).info
    pixels = np.stack([read_pixels(path, info.pixels) for path in paths])
    return np.asarray(feature_model(load_keras_model(run.best))(pixels, training=False))


def test_features_of_a_run_are_those_of_keras_in_order(trained_run, tmp_path):
    output = tmp_path / "features.npy"
    done = embed(images_of(trained_run), "--model", trained_run.folder, "-o", output, "--json")
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    paths = list(find_images([images_of(trained_run)]))
    expected = keras_features(trained_run, paths)
    assert (facts["images"], facts["features"]) == expected.shape
    with open(facts["paths"], encoding="utf-8", newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == paths
    found = np.load(output)
    assert found.dtype == np.float32 and np.ptp(expected, axis=0).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_weights_of_a_run_give_the_same_features_as_its_tflite(trained_run, tmp_path):
    rows = []
    for place in (trained_run.tflite, trained_run.best):
        extractor = feature_extractor(choose_model(place, tmp_path))
        paths = list(find_images([images_of(trained_run)]))[:3]
        pixels = np.stack([read_pixels(path, extractor.pixels) for path in paths])
        rows.append(extractor.features(pixels))
    np.testing.assert_allclose(*rows, rtol=1e-4, atol=1e-5)


def test_an_export_outside_of_its_run_shows_its_layers(trained_run, tmp_path):
    folder = export_run(trained_run, ["keras"], output=tmp_path / "export").folder
    extractor = feature_extractor(choose_model(folder / "model.keras", tmp_path))
    paths = list(find_images([images_of(trained_run)]))[:3]
    pixels = np.stack([read_pixels(path, extractor.pixels) for path in paths])
    expected = keras_features(trained_run, paths)
    np.testing.assert_allclose(extractor.features(pixels), expected, rtol=1e-4, atol=1e-5)


def test_parquet_has_the_same_rows(trained_run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    words = (images_of(trained_run), "--model", trained_run.folder, "-o")
    for name in ("a.npy", "a.parquet"):
        assert embed(*words, tmp_path / name).exit_code == 0
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table["path"].to_pylist() == list(find_images([images_of(trained_run)]))
    found = np.array(table["features"].to_pylist(), np.float32)
    np.testing.assert_array_equal(found, np.load(tmp_path / "a.npy"))


def test_an_image_that_cannot_be_read_is_named_and_has_no_row(trained_run, tmp_path):
    for name in ("a", "c"):
        write_image(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"not an image")
    names = [tmp_path / f"{name}.png" for name in ("a", "b", "c")]
    output = tmp_path / "features.npy"
    words = (*names, "--model", trained_run.folder, "-o", output)
    done = embed(*words, "--json")
    assert done.exit_code == 1 and "b.png" in done.stderr
    facts = json.loads(done.stdout)
    assert [each["path"] for each in facts["errors"]] == [str(names[1])]
    assert np.load(output).shape[0] == facts["images"] == 2
    lines = (tmp_path / "features.paths.csv").read_text().splitlines()
    assert lines == ["path", str(names[0]), str(names[2])]
    assert embed(*words, "--overwrite", "--allow-errors").exit_code == 0


def test_python_returns_the_same_features(trained_run, tmp_path):
    paths = list(find_images([images_of(trained_run)]))
    model = cnnkit.load_run(trained_run.folder)
    expected = keras_features(trained_run, paths)
    np.testing.assert_allclose(model.embed(paths), expected, rtol=1e-4, atol=1e-5)
    assert model.embed([]).shape == (0, expected.shape[1])
    with pytest.raises(DataError, match="cannot be read"):
        model.embed([tmp_path / "missing.png"])


def test_files_are_not_replaced_and_other_extensions_refused(trained_run, tmp_path):
    words = (images_of(trained_run), "--model", trained_run.folder)
    (tmp_path / "a.paths.csv").write_text("mine")
    done = embed(*words, "-o", tmp_path / "a.npy")
    assert done.exit_code == 2 and "a.paths.csv exists" in done.stderr
    done = embed(*words, "-o", tmp_path / "a.csv")
    assert done.exit_code == 2 and "must end in .npy or .parquet" in done.stderr
    assert embed(*words).exit_code == 2


@pytest.mark.parametrize("kind", ["float", "uint8", "keras"])
def test_features_of_foreign_files_are_the_input_of_their_dense_layer(tmp_path, kind):
    """The features of the model are the means of the scaled channels, known by hand."""
    path = tmp_path / ("a.keras" if kind == "keras" else "a.tflite")
    if kind == "keras":
        keras_model().save(path)
    else:
        write_tflite(path, keras_model(), integers=tf.uint8 if kind == "uint8" else None)
    how = HowToRead(labels_file(tmp_path), "tf")
    extractor = feature_extractor(choose_model(path, tmp_path, how, lambda sentence: None))
    pixels = read_pixels(picture(), extractor.pixels)
    expected = np.array([[200, 90, 40]]) / 127.5 - 1
    found = extractor.features(pixels[None])
    np.testing.assert_allclose(found, expected, atol=0.02 if kind == "uint8" else 1e-5)


def test_a_network_by_name_has_the_features_of_its_backbone(trained_run, tmp_path):
    extractor = feature_extractor(choose_model("EfficientNetLite0", tmp_path, note=print))
    assert extractor.width == 1280
    image = next(iter(find_images([images_of(trained_run)])))
    pixels = read_pixels(image, extractor.pixels)[None]
    model = choose_model("EfficientNetLite0", tmp_path).layers()
    expected = feature_model(model)(pixels, training=False)
    np.testing.assert_allclose(extractor.features(pixels), expected, rtol=1e-3, atol=1e-4)


def test_a_model_without_a_classifier_is_refused(tmp_path):
    image = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    path = write_tflite(tmp_path / "a.tflite", keras.Model(image, keras.layers.Softmax()(mean)))
    predictor = choose_model(path, tmp_path, HowToRead(labels_file(tmp_path), "tf"), print)
    with pytest.raises(UsageError, match="does not end with a fully connected layer"):
        feature_extractor(predictor)


def test_embed_needs_no_tensorflow(trained_run, tmp_path):
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'tensorflow' not in sys.modules"
    )
    words = (images_of(trained_run), "--model", trained_run.folder, "-o", tmp_path / "a.npy")
    subprocess.run([sys.executable, "-c", code, "embed", *map(str, words)], check=True)
