"""The interface of TensorFlow Serving: rows, columns, status and metadata as its clients know."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from predict_command import image_folder
from servers import serving

import cnnkit


@pytest.fixture(scope="module")
def server(trained_run):
    models = [f"tiny={trained_run.folder}", f"tiny={trained_run.tflite}"]
    with serving("--model", models[0], "--model", models[1]) as running:
        yield running


@pytest.fixture(scope="module")
def images(trained_run):
    return sorted(Path(image_folder(trained_run)).rglob("*.png"))[:3]


@pytest.fixture(scope="module")
def wanted(trained_run, images):
    answers = cnnkit.load_run(trained_run.folder).predict(images)
    return [
        {"probabilities": answer.probabilities.tolist(), "class_name": answer.answer}
        for answer in answers
    ]


def ask(server, value, path="/v1/models/tiny:predict"):
    status, _, answer = server.ask(path, json.dumps(value))
    return status, answer


def b64(image):
    return {"b64": base64.b64encode(image.read_bytes()).decode()}


def pixels_of(image, trained_run):
    from cnnkit.prediction import pixels_of

    settings = cnnkit.load_run(trained_run.folder).predictor.info.pixels
    return pixels_of(str(image), settings).tolist()


def test_rows_and_columns_of_bytes_and_of_pixels_give_the_probabilities(
    server, trained_run, images, wanted
):
    encoded = [b64(image) for image in images]
    pixels = [pixels_of(image, trained_run) for image in images]
    for rows in (
        encoded,
        pixels,
        [{"image": each} for each in pixels],
        [{"image_bytes": each} for each in encoded],
    ):
        assert ask(server, {"instances": rows}) == (200, {"predictions": wanted})
    in_columns = {name: [row[name] for row in wanted] for name in wanted[0]}
    for columns in (encoded, pixels, {"image": pixels}, {"image_bytes": encoded}):
        for signature in ("serving_default", "serving_bytes"):
            value = {"inputs": columns, "signature_name": signature}
            assert ask(server, value) == (200, {"outputs": in_columns})


def test_a_version_is_asked_by_its_number(server, images, wanted):
    value = {"instances": [b64(images[0])]}
    for version in (1, 2):
        answer = ask(server, value, f"/v1/models/tiny/versions/{version}:predict")
        assert answer == (200, {"predictions": wanted[:1]})
    status, answer = ask(server, value, "/v1/models/tiny/versions/3:predict")
    assert status == 404 and "version 3" in answer["error"]
    assert ask(server, value, "/v1/models/dogs:predict")[0] == 404


def test_status_and_metadata(server, trained_run):
    fine = {"error_code": "OK", "error_message": ""}
    states = [{"version": f"{number}", "state": "AVAILABLE", "status": fine} for number in (1, 2)]
    assert server.ask("/v1/models/tiny")[2] == {"model_version_status": states}
    assert server.ask("/v1/models/tiny/versions/2")[2] == {"model_version_status": states[1:]}
    assert server.ask("/v1/models/dogs")[0] == 404

    value = server.ask("/v1/models/tiny/versions/1/metadata")[2]
    assert value["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    signature = value["metadata"]["signature_def"]["signature_def"]["serving_default"]
    sizes = [each["size"] for each in signature["inputs"]["image"]["tensor_shape"]["dim"]]
    info = cnnkit.load_run(trained_run.folder).predictor.info
    assert sizes == ["-1", *map(str, info.pixels.shape)]
    assert server.ask("/v1/models/tiny/metadata")[2]["model_spec"]["version"] == "2"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "instances"),
        ([], "instances"),
        ({"instances": [], "inputs": []}, "instances"),
        ({"instances": []}, "instances: expected a list"),
        ({"instances": 5}, "instances: expected a list"),
        ({"instances": [{"b64": 5}]}, "instances[0]: expected a text"),
        ({"instances": [{"b64": "bm8gaW1hZ2U="}]}, "instances[0]: it is not an image"),
        ({"instances": [[1, 2, 3]]}, "instances[0]: expected"),
        ({"instances": [[[[0.5]]]]}, "instances[0]: expected"),
        ({"instances": [[[1], [1, 2]]]}, "instances[0]: expected"),
        ({"instances": [{"a": 1, "b": 2}]}, "one input"),
        ({"inputs": {"b64": "eA=="}}, "inputs: expected a list"),
        ({"inputs": {"a": [], "b": []}}, "one input"),
        ({"instances": [{"b64": "eA=="}], "signature_name": "x"}, "no signature"),
        ({"instances": [{"b64": "eA=="}], "signature_name": ["x"]}, "no signature"),
    ],
)
def test_what_is_wrong_is_said(server, value, words):
    status, answer = ask(server, value)
    assert status == 400 and words in answer["error"], answer


def test_pixels_beyond_8_bits_are_refused(server, trained_run, images):
    pixels = np.array(pixels_of(images[0], trained_run))
    pixels[0, 0, 0] = 256
    status, answer = ask(server, {"instances": [pixels.tolist()]})
    assert status == 400 and "from 0 to 255" in answer["error"]
