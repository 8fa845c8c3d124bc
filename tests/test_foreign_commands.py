"""Commands with models that are not runs: predict, watch, evaluate, explain, and Python."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from foreign_models import (
    NAMES,
    SLOPE,
    keras_model,
    labels_file,
    picture,
    scaled_by_hand,
    softmax,
    write_tflite,
)

import cnnkit
from cnnkit.cli import main
from cnnkit.errors import UsageError
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.prediction.kept_answers import kept_answers

_COLOURS = {"red": (220, 40, 30), "green": (30, 200, 60), "blue": (10, 60, 240)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a foreign `.tflite` and `.keras`, labels and labelled pictures."""
    folder = tmp_path_factory.mktemp("place")
    model = keras_model()
    write_tflite(folder / "model.tflite", model)
    model.save(folder / "model.keras")
    labels_file(folder)
    for name, colour in _COLOURS.items():
        (folder / "images" / name).mkdir(parents=True)
        for number in range(3):
            shade = tuple(level + number for level in colour)
            (folder / "images" / name / f"{number}.png").write_bytes(picture(shade))
    return folder


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def options(place, file="model.tflite"):
    return ("--model", place / file, "--labels", place / "labels.txt", "--scaling", "tf")


def test_predict_says_how_a_model_is_read(place):
    image = place / "images" / "blue" / "0.png"
    done = run("predict", image, *options(place), "--json")
    assert done.exit_code == 0, done.stderr
    assert "8 x 8 RGB images, resize stretch, scaling tf, 3 classes, probabilities." in done.stderr
    answer = json.loads(done.stdout)
    assert answer["prediction"] == "blue"
    expected = softmax(SLOPE * scaled_by_hand(_COLOURS["blue"], "tf")).max()
    assert answer["probability"] == pytest.approx(expected, abs=1e-5)


def test_predict_without_the_options_asks_for_them(place):
    done = run("predict", place / "images", "--model", place / "model.tflite", "--json")
    assert done.exit_code == 2
    assert "--labels FILE" in json.loads(done.stdout)["error"]


def test_what_is_no_model_is_said(place):
    done = run("predict", place / "images", "--model", place / "missing.onnx")
    assert done.exit_code == 2 and "There is no model file" in done.stderr
    done = run("predict", place / "images", "--model", place / "labels.txt")
    assert done.exit_code == 2 and ".keras or .h5 file" in done.stderr


@pytest.mark.parametrize(
    ("name", "num_bytes"), [("cut.tflite", 300), ("cut.h5", 300), ("cut.onnx", 0)]
)
def test_a_damaged_file_is_said_to_be_damaged(place, tmp_path, name, num_bytes):
    (tmp_path / name).write_bytes((place / "model.tflite").read_bytes()[:num_bytes])
    how = ("--model", tmp_path / name, *options(place)[2:])
    done = run("predict", place / "images", *how)
    assert done.exit_code == 2, done.stderr
    assert f"{name} cannot be loaded, it may be damaged: " in done.stderr
    assert "class names" not in done.stderr


def test_answers_of_another_scaling_are_not_resumed(place, tmp_path):
    output, model = tmp_path / "answers.csv", place / "model.tflite"
    how = HowToRead(place / "labels.txt", "0-1").options()
    flags = {"resume": False, "overwrite": False, "how": how}
    with pytest.raises(KeyboardInterrupt), kept_answers(output, model, NAMES, **flags):
        raise KeyboardInterrupt
    done = run("predict", place / "images", "-o", output, *options(place), "--resume")
    assert done.exit_code == 2 and "read in another way" in done.stderr
    right = (*options(place)[:-1], "0-1", "--resume")
    assert run("predict", place / "images", "-o", output, *right).exit_code == 0


def test_evaluate_scores_a_foreign_model_and_writes_only_where_told(place, tmp_path):
    words = ("evaluate", *options(place), "--data", place / "images", "--json")
    done = run(*words)
    assert done.exit_code == 0, done.stderr
    scores = json.loads(done.stdout)
    assert scores["accuracy"] == 1.0 and scores["folder"] is None
    done = run(*words, "--output", tmp_path / "scores")
    assert json.loads(done.stdout)["folder"] == str(tmp_path / "scores")
    assert (tmp_path / "scores" / "predictions.csv").is_file()


def test_evaluate_needs_images_with_the_same_names(place, tmp_path):
    done = run("evaluate", *options(place))
    assert done.exit_code == 2 and "--data FOLDER" in done.stderr
    (tmp_path / "images").mkdir()
    for name in ("red", "green", "azure"):
        (tmp_path / "images" / name).symlink_to(place / "images" / name.replace("azure", "blue"))
    done = run("evaluate", *options(place), "--data", tmp_path / "images")
    assert done.exit_code == 2
    assert "new: azure" in done.stderr and "missing: blue" in done.stderr


@pytest.mark.parametrize("method", ["occlusion", "saliency"])
def test_explain_explains_a_foreign_keras_file(place, tmp_path, method):
    image = place / "images" / "red" / "0.png"
    how = ("--method", method, "--output", tmp_path / "maps", "--json")
    done = run("explain", image, *options(place, "model.keras"), *how)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["images"][0]["prediction"] == "red"
    assert (tmp_path / "maps" / "0").is_dir()


def test_explain_says_what_has_no_gradients(place, tmp_path):
    image = place / "images" / "red" / "0.png"
    done = run("explain", image, *options(place), "--method", "saliency", "-o", tmp_path / "maps")
    assert done.exit_code == 2 and "--method occlusion" in done.stderr


def test_gradients_of_a_foreign_model_count_the_scaling(place):
    """The logit is SLOPE * mean / 127.5, so each pixel of its channel has the same known slope."""
    how = HowToRead(place / "labels.txt", "tf")
    model = cnnkit.TrainedModel(place / "model.keras", how=how)
    found = model.explain([picture()], methods="saliency", class_name="green")
    np.testing.assert_allclose(found.images[0].maps[0].values, SLOPE / 127.5 / 64, rtol=1e-4)


def test_neighbours_need_a_run(place, tmp_path):
    image = place / "images" / "red" / "0.png"
    words = ("--neighbours", 3, "--output", tmp_path / "maps")
    done = run("explain", image, *options(place, "model.keras"), *words)
    assert done.exit_code == 2 and "Leave out --neighbours" in done.stderr


def test_watch_takes_a_foreign_model(place, tmp_path):
    output = tmp_path / "answers.jsonl"
    folder = place / "images" / "green"
    done = run("watch", folder, "-o", output, "--once", *options(place))
    assert done.exit_code == 0, done.stderr
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    assert [answer["prediction"] for answer in answers] == ["green"] * 3


def test_python_takes_a_foreign_model(place):
    model = cnnkit.TrainedModel(place / "model.tflite", how=HowToRead(place / "labels.txt", "tf"))
    assert [each.answer for each in model.predict([place / "images" / "red"])] == ["red"] * 3
    with pytest.raises(UsageError, match="--scaling NAME"):
        cnnkit.TrainedModel(place / "model.tflite", how=HowToRead(place / "labels.txt"))
