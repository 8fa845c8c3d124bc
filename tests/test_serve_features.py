"""`POST /features` of `cnnkit serve`: the maps of each layer, against Keras."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pytest
from images import file_bytes
from PIL import Image
from servers import serving

from cnnkit.data.pixels import read_pixels
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import read_appended_info


@pytest.fixture(scope="module")
def server(trained_run, tmp_path_factory):
    alone = tmp_path_factory.mktemp("alone") / "alone.tflite"
    shutil.copy(trained_run.tflite, alone)
    with serving("--model", f"tiny={trained_run.folder}", "--model", f"alone={alone}") as running:
        yield running


@pytest.fixture(scope="module")
def picture():
    pixels = np.random.default_rng(3).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    return file_bytes(Image.fromarray(pixels))


def _picture(text):
    return np.array(Image.open(io.BytesIO(base64.b64decode(text)))).astype(int)


def test_the_maps_are_those_of_the_layers(server, trained_run, picture):
    status, _, value = server.ask("/features", picture)
    assert status == 200 and (value["model"], value["version"]) == ("tiny", 1)
    from cnnkit.backend import keras

    model = load_keras_model(trained_run.best)
    pixels = read_pixels(picture, read_appended_info(trained_run.tflite).pixels)
    assert np.array_equal(_picture(value["image"]), pixels)
    layers = {layer["name"]: layer for layer in value["layers"]}
    assert list(layers)[0] == "rescaling" and list(layers)[-1] == "probabilities/softmax"
    layer = layers["conv_1/relu"]
    wanted = np.asarray(keras.Model(model.input, model.get_layer("conv_1").output)(pixels[None])[0])
    assert layer["shape"] == list(wanted.shape) and layer["channels"] == [0, 1, 2, 3]
    levels = _picture(layer["maps"]).reshape(4, *wanted.shape[:2])
    found = layer["low"] + levels / 255 * (layer["high"] - layer["low"])
    step = (layer["high"] - layer["low"]) / 255
    assert np.abs(found - np.moveaxis(wanted, 2, 0)).max() <= step / 2 + 1e-5
    answer = layers["probabilities/softmax"]
    assert answer["shape"] == [1, 1, 3] and _picture(answer["maps"]).shape == (1, 3)


@pytest.mark.parametrize(
    ("body", "query", "status", "words"),
    [
        (b"no image", "", 422, "not an image"),
        (b"", "", 422, "no image"),
        (None, "?model=alone", 422, "its run folder"),
        (None, "?model=other", 404, "no model other"),
    ],
)
def test_what_has_no_maps_is_refused(server, picture, body, query, status, words):
    found, _, value = server.ask(f"/features{query}", picture if body is None else body)
    assert found == status and words in value["error"]


def test_the_layers_of_another_program_s_model_are_shown(trained_run, picture, tmp_path):
    shutil.copy(trained_run.best, tmp_path / "foreign.keras")
    labels = ["--labels", trained_run.classes]
    with serving("--model", tmp_path / "foreign.keras", *labels) as server:
        status, _, value = server.ask("/features", picture)
    assert status == 200, value
    assert "cnnkit/conv_1/relu" in [layer["name"] for layer in value["layers"]]
