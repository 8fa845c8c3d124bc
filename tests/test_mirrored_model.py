"""`model.tta: flips`: one file that answers with the mean over an image and its mirror image."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import cnnkit
from cnnkit.backend import keras
from cnnkit.calibration.calibrate_run import Wanted, calibrate_run
from cnnkit.cli import main
from cnnkit.export import Golden, export_run
from cnnkit.model.loading import load_keras_model
from cnnkit.model.mirrored_model import mirrored_model
from cnnkit.runs import Run
from cnnkit.runtimes import load_predictor


def _model(channels, units):
    image = keras.Input((6, 5, channels), dtype="uint8")
    tensor = keras.layers.Rescaling(1 / 255)(image)
    tensor = keras.layers.Flatten()(tensor)
    tensor = keras.layers.Dense(7, activation="relu")(tensor)
    activation = "sigmoid" if units == 1 else "softmax"
    return keras.Model(image, keras.layers.Dense(units, activation=activation)(tensor))


@pytest.mark.parametrize(("channels", "units"), [(3, 4), (1, 2), (3, 1)])
def test_the_features_are_the_mean_of_both_images(channels, units):
    model = _model(channels, units)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 6, 5, channels), dtype=np.uint8)
    features = keras.Model(model.input, model.layers[-1].input)
    means = (np.asarray(features(pixels)) + np.asarray(features(pixels[:, :, ::-1]))) / 2
    expected = np.asarray(model.layers[-1](means))
    mirrored = mirrored_model(model)
    np.testing.assert_allclose(mirrored(pixels), expected, atol=1e-6)
    np.testing.assert_allclose(mirrored(pixels[:, :, ::-1]), expected, atol=1e-6)
    assert np.abs(expected - np.asarray(model(pixels))).max() > 0.01
    assert mirrored.count_params() == model.count_params()


@pytest.fixture(scope="module")
def trained(tiny_config, tmp_path_factory):
    """A run whose classes are told apart by more than colour: mirroring changes its answers."""
    folder = tmp_path_factory.mktemp("runs")
    overrides = [
        "model.tta=flips",
        "model.layers=[{conv: {filters: 4, kernel_size: 3}}, flatten]",
        "training.epochs=2",
        "training.optimizer.adam.learning_rate=0.001",
    ]
    return cnnkit.train(tiny_config, overrides=overrides, runs_folder=folder).folder


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs" / "tiny")
    return Run(tmp_path / "runs" / "tiny")


def _answers(file, pixels):
    return load_predictor(file, file.parent)(pixels)


def test_every_file_of_a_run_gives_the_mean(run):
    pixels = Golden.load(run.golden).pixels
    plain = load_keras_model(run.best)
    expected = np.asarray(mirrored_model(plain)(pixels))
    assert np.abs(expected - np.asarray(plain(pixels))).max() > 1e-3
    exported = export_run(run)
    files = [
        run.tflite,
        run.best,
        *(exported.folder / f["file"] for f in exported.formats.values()),
    ]
    assert len(files) > 4
    for file in files:
        np.testing.assert_allclose(_answers(file, pixels), expected, atol=1e-5)
        np.testing.assert_allclose(_answers(file, pixels[:, :, ::-1]), expected, atol=1e-5)


def test_a_calibration_is_of_the_mean(run):
    pixels = Golden.load(run.golden).pixels
    before = _answers(run.tflite, pixels)
    temperature = calibrate_run(run, Wanted(accept=0.9)).calibration.temperature
    logits = np.log(before) / temperature
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(_answers(run.tflite, pixels), expected, atol=1e-4)


def test_explain_and_predict_give_the_same_probability(run, tiny_config):
    image = str(tiny_config.parent / "images" / "red" / "0.png")
    arguments = [image, "--model", str(run.folder), "--json"]
    predicted = json.loads(CliRunner().invoke(main, ["predict", *arguments]).stdout)
    words = ["explain", *arguments, "--method", "saliency", "--output", str(run.folder / "maps")]
    explained = json.loads(CliRunner().invoke(main, words).stdout)
    assert json.dumps(predicted["probability"])[:6] in json.dumps(explained)
