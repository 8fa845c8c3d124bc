"""`cnnkit calibrate` on a small run: what it writes, and what predict and exports make of it."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from whole_command import contents_of

import cnnkit
from cnnkit.calibration.answers import Answers
from cnnkit.calibration.calibrate_run import Wanted, _fitted, calibrate_run
from cnnkit.cli import main
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export import Golden, export_run
from cnnkit.model.calibrated_layers import load_references
from cnnkit.model.calibration import with_temperature
from cnnkit.runs import Run
from cnnkit.runtimes import load_predictor


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy that a test may write into."""
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "tiny")
    return Run(tmp_path / "runs" / "tiny")


def _answers(file, folder, pixels):
    return load_predictor(file, folder).answers(pixels)


def test_the_model_and_all_exports_give_calibrated_probabilities_and_distances(run):
    golden = Golden.load(run.golden)
    made = calibrate_run(run, Wanted(accept=0.9))
    temperature = made.calibration.temperature
    assert temperature != pytest.approx(1, abs=0.01)
    expected = with_temperature(golden.probabilities, temperature)
    # Twice: a calibration starts from the weights of the training, not from an earlier one.
    assert calibrate_run(run, Wanted(accept=0.9)).calibration == made.calibration
    exported = export_run(run)
    files = [run.tflite, *(exported.folder / each["file"] for each in exported.formats.values())]
    first = None
    for file in files:
        probabilities, distances = _answers(file, run.folder, golden.pixels)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        first = distances if first is None else first
        np.testing.assert_allclose(distances, first, atol=1e-5)
        info = load_predictor(file, run.folder).info
        assert info.calibration == made.calibration
    # Distances to the stored references, from the features of the Keras model.
    references = load_references(run.calibration.with_suffix(".npz"))
    assert np.linalg.norm(references, axis=1) == pytest.approx(1, abs=1e-5)
    assert 0 <= first.min() and first.max() < 1


def test_predict_answers_unknown_with_the_reason(run, tmp_path):
    source = cnnkit.load_config(run.config).data.source
    shutil.copy(f"{source}/red/0.png", tmp_path / "own.png")
    Image.new("RGB", (16, 16), "black").save(tmp_path / "black.png")
    made = cnnkit.calibrate(run.folder)
    assert made.calibration == load_predictor(run.tflite, run.folder).info.calibration
    answers = cnnkit.load_run(run.folder).predict([tmp_path / "own.png", tmp_path / "black.png"])
    assert [answer.answer for answer in answers] == ["red", "unknown"]
    assert answers[0].reason is None and "unlike the training images" in answers[1].reason
    words = ["predict", str(tmp_path / "black.png"), "--model", str(run.folder)]
    done = CliRunner().invoke(main, [*words, "--json"])
    facts = json.loads(done.stdout)
    assert (facts["prediction"], facts["reason"], done.exit_code) == (
        "unknown", answers[1].reason, 0,
    )  # fmt: skip
    assert facts["distance"] == pytest.approx(answers[1].distance, abs=1e-5)


@pytest.mark.parametrize(("number", "is_noted"), [(20, True), (2000, False)])
def test_a_threshold_of_0_from_few_images_is_noted(number, is_noted):
    labels = np.arange(number) % 2
    answered = np.where(np.arange(number) % 40 == 0, 1 - labels, labels)  # one of 40 is wrong
    logits = 3.0 * np.eye(2)[answered]
    answers = Answers(labels, logits, np.zeros(number))
    notes = []
    calibration = _fitted(answers, Wanted(precision=0.9), ("cat", "owl"), notes.append)
    assert calibration.thresholds == (0.0, 0.0)
    assert len(notes) == is_noted
    if is_noted:
        # Wilson's interval of 19 of 20
        assert "95.0% of the answers to 20 validation images are right" in notes[0]
        assert "only 76.4% of other images" in notes[0]


def test_an_uncalibrated_run_answers_as_before(trained_run):
    source = cnnkit.load_config(trained_run.config).data.source
    answer = cnnkit.load_run(trained_run.folder).predict([f"{source}/red/0.png"])[0]
    assert (answer.answer, answer.reason, answer.distance) == ("red", None, None)


def test_the_json_is_that_of_the_file_and_the_table_names_the_splits(run):
    done = CliRunner().invoke(main, ["calibrate", str(run.folder), "--precision", "0.9", "--json"])
    facts = json.loads(done.stdout)
    assert "validation images would be answered: that is too few" in done.stderr  # there are six
    assert json.loads(run.calibration.read_text()) == {
        key: value for key, value in facts.items() if key != "run"
    }
    assert facts["measured"]["validation"]["precision"] >= 0.9
    assert facts["measured"]["test"]["num_images"] == 6
    done = CliRunner().invoke(main, ["calibrate", str(run.folder)])
    assert "validation" in done.stdout and "none: --precision or --coverage" in done.stdout
    assert run.plot("risk_coverage").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--precision", "0.9", "--coverage", "0.9"], 2, "not both"),
        (["--per-class"], 2, "--precision or --coverage"),
        (["--precision", "1.5"], 2, "0<x<=1"),
    ],
)
def test_what_contradicts_itself_is_refused(run, options, code, words):
    done = CliRunner().invoke(main, ["calibrate", str(run.folder), *options])
    assert (done.exit_code, words in done.stderr) == (code, True), done.stderr
    assert not run.calibration.exists()


def test_a_run_that_cannot_be_calibrated_is_refused_and_stays_as_it_is(run):
    before = run.tflite.read_bytes()
    text = run.split.read_text()
    run.split.write_text(text.replace(",validation,", ",train,"))
    with pytest.raises(UsageError, match="no validation images to calibrate on; it has train, te"):
        calibrate_run(run, Wanted())
    run.split.write_text("\n".join(text.splitlines()[:-1]) + "\n")
    with pytest.raises(UsageError, match="is not as the run wrote it"):
        calibrate_run(run, Wanted())
    run.split.write_text(text)
    run.best.unlink()
    with pytest.raises(UsageError, match=r"has no weights/best.keras"):
        calibrate_run(run, Wanted())
    assert run.tflite.read_bytes() == before


def test_exports_of_a_calibrated_run_need_its_references(run):
    calibrate_run(run, Wanted())
    run.calibration.with_suffix(".npz").write_bytes(b"damaged")
    with pytest.raises(CnnkitError, match=r"calibration.npz cannot be read.*cnnkit calibrate"):
        export_run(run, ["tflite"])


def test_a_run_that_cannot_be_written_is_refused_before_any_work(run, monkeypatch):
    # Root may write everywhere, so that permissions alone would not refuse it.
    monkeypatch.setattr(os, "access", lambda path, mode: path != run.folder)
    before = contents_of(run.folder)
    with pytest.raises(UsageError, match="Make it writable, or calibrate a copy of the run"):
        calibrate_run(run, Wanted())
    assert contents_of(run.folder) == before


def test_features_says_that_its_probability_is_that_of_the_training(run, tiny_images, tmp_path):
    words = ["features", str(tiny_images / "red" / "0.png"), "--model", str(run.folder), "--json"]

    def notes(folder):
        found = CliRunner().invoke(main, [*words, "-o", str(tmp_path / folder)])
        return " ".join(json.loads(found.stdout)["notes"])

    assert "calibrated" not in notes("before")
    calibrate_run(run, Wanted())
    assert "The run is calibrated, so predict gives the same class with another" in notes("after")
