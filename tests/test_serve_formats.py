"""Servers of other files than the `model.tflite` of a run."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from predict_command import image_folder
from servers import serving

import cnnkit
from cnnkit.cli import main


@pytest.fixture(scope="module")
def images(trained_run):
    return sorted(Path(image_folder(trained_run)).rglob("*.png"))[:6]


def check_answers(server, images, predictions, tolerance):
    """Compare a request with many images, which are computed together, with those of Python."""
    status, value = server.predict(*images)
    assert status == 200
    for row, prediction in zip(value["predictions"], predictions, strict=True):
        assert row["prediction"] == prediction.answer
        assert row["probability"] == pytest.approx(prediction.top(1)[0][1], abs=tolerance)


def test_a_model_of_another_program_is_read_as_the_options_say(trained_run, images, tmp_path):
    content = trained_run.tflite.read_bytes()
    with zipfile.ZipFile(trained_run.tflite) as archive:
        end = min(info.header_offset for info in archive.infolist())
    foreign = tmp_path / "foreign.tflite"
    foreign.write_bytes(content[:end])  # without what cnnkit has appended
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"class {name}\n" for name in trained_run.class_names()))
    words = ("--labels", labels, "--scaling", "0-255")
    with serving("--model", foreign, *words) as server:
        assert server.predict(images[0])[1]["model"] == "foreign"
        status, value = server.predict(*images)
    assert status == 200
    predictions = cnnkit.load_run(trained_run.folder).predict(images)
    found = [row["prediction"] for row in value["predictions"]]
    assert found == [f"class {prediction.answer}" for prediction in predictions]


@pytest.mark.slow
def test_a_keras_file_and_a_saved_model_answer_together_what_they_answer_alone(
    trained_run, images, tmp_path
):
    words = ["--format", "saved_model", "-o", tmp_path / "export"]
    result = CliRunner().invoke(main, ["export", str(trained_run.folder), *map(str, words)])
    assert result.exit_code == 0, result.output
    exported = tmp_path / "export" / "saved_model"
    for model in (trained_run.best, exported):
        with serving("--model", f"m={model}") as server:
            check_answers(server, images, cnnkit.load_run(trained_run.folder).predict(images), 1e-5)
