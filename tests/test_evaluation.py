"""Evaluation: the same numbers from every side, other data, and gates."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from images import write_classes

import cnnkit
from cnnkit.cli import main
from cnnkit.errors import CnnkitError, DataError, GateError, UsageError
from cnnkit.evaluation import check_requirements, evaluate_model
from cnnkit.runs import Run


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy that a test may write into."""
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "tiny")
    return Run(tmp_path / "runs" / "tiny")


def _evaluate(run, **what):
    return evaluate_model(str(run.folder), run.folder.parent, note=lambda text: None, **what)


def test_evaluate_gives_what_the_training_gave(run):
    at_the_end = json.loads((run.evaluation("test") / "metrics.json").read_text())
    shutil.rmtree(run.folder / "evaluation")
    folder, metrics = _evaluate(run)
    assert folder.resolve() == run.evaluation("test").resolve()
    assert metrics == at_the_end
    assert (folder / "confusion_matrix.png").stat().st_size > 0


def test_predictions_csv_has_the_truth_and_a_column_a_class(run):
    folder, metrics = _evaluate(run, split="validation")
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "path", "label", "prediction", "probability", "p_blue", "p_green", "p_red",
    ]  # fmt: skip
    assert len(rows) == metrics["num_images"] == 6
    assert np.mean([row["label"] == row["prediction"] for row in rows]) == metrics["accuracy"]


def test_another_folder_is_scored_with_the_run_s_labels_though_a_class_is_absent(run, tmp_path):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(f"{source}/red", tmp_path / "other" / "red")
    with pytest.raises(UsageError, match="missing: blue, green"):
        _evaluate(run, data=tmp_path / "other")
    folder, metrics = _evaluate(run, data=tmp_path / "other", allow_missing_classes=True)
    assert folder.name == "other"
    assert metrics["accuracy"] == 1.0
    assert metrics["per_class"]["red"]["support"] == 12
    assert np.array(metrics["confusion_matrix"])[2].tolist() == [0, 0, 12]


def test_other_classes_are_refused_with_the_difference(run, tmp_path):
    other = write_classes(tmp_path / "other", {"red": 1, "green": 1, "blue": 1, "grey": 1})
    with pytest.raises(UsageError, match=r"trained on 3 classes, .* has 4 \(new: grey\)"):
        _evaluate(run, data=other)


def test_a_broken_image_of_other_data_stops_or_is_named_and_left_out(run, tmp_path):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(source, tmp_path / "other")
    (tmp_path / "other" / "red" / "0.png").write_text("no image")
    with pytest.raises(DataError, match=r"(?s)red/0.png: it is not an image.*--skip-errors"):
        _evaluate(run, data=tmp_path / "other")
    notes = []
    _, metrics = evaluate_model(
        str(run.folder), run.folder.parent, data=tmp_path / "other", skip_errors=True,
        note=notes.append,
    )  # fmt: skip
    assert metrics["num_images"] == 35
    assert any("red/0.png" in note for note in notes)


def test_images_that_changed_since_the_training_are_refused(run, tmp_path, monkeypatch):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(source, tmp_path / "moved")
    text = run.config.read_text().replace(source, str(tmp_path / "moved"))
    run.config.write_text(text)
    assert _evaluate(run)[1]["accuracy"] == 1.0
    path = next(row["path"] for row in run.read_split() if row["split"] == "test")
    shutil.copy(tmp_path / "moved" / "red" / "1.png", tmp_path / "moved" / path)
    with pytest.raises(CnnkitError, match="has changed"):
        _evaluate(run)


def test_other_data_never_takes_the_place_of_the_run_s_own_split(run, tmp_path):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(source, tmp_path / "photos" / "test")
    before = (run.evaluation("test") / "metrics.json").read_bytes()
    assert _evaluate(run, data=tmp_path / "photos" / "test")[0].name == "photos-test"
    assert (
        _evaluate(run, data=tmp_path / "photos" / "test" / ".." / "test")[0].name == "photos-test"
    )
    folder, _ = evaluate_model(str(run.last), run.folder.parent, note=lambda text: None)
    assert folder.name == "test-last.keras"
    assert (run.evaluation("test") / "metrics.json").read_bytes() == before
    for name, words in (("../x", "cannot name a folder"), ("test", "is the run's own split")):
        with pytest.raises(UsageError, match=words):
            _evaluate(run, data=tmp_path / "photos" / "test", name=name)


METRICS = {"accuracy": 0.9, "num_images": 10, "per_class": {"a.b": {"recall": 0.5}}}


def test_requirements_that_are_met_are_told():
    lines = check_requirements(["accuracy>=0.9", "per_class.a.b.recall > 0.4"], METRICS)
    assert lines == [
        "accuracy is 0.9000, required >= 0.9: met",
        "per_class.a.b.recall is 0.5000, required > 0.4: met",
    ]


def test_one_that_is_not_met_fails_with_all_of_them():
    with pytest.raises(
        GateError, match="required >= 0.9: met\naccuracy .* required < 0.5: NOT met"
    ):
        check_requirements(["accuracy>=0.9", "accuracy<0.5"], METRICS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accuracy", "is not a metric, one of"),
        ("accuracy>=much", "is not a metric, one of"),
        ("acuracy>=0.9", r"no metric acuracy. Did you mean accuracy\?"),
        ("per_class.c.recall>=0.9", "no metric per_class.c.recall"),
    ],
)
def test_a_requirement_that_means_nothing_is_wrong_usage(text, words):
    with pytest.raises(UsageError, match=words):
        check_requirements([text], METRICS)


@pytest.mark.parametrize(
    ("requirement", "code"), [("accuracy>=0.5", 0), ("accuracy<0.5", 3), ("x", 2)]
)
def test_the_gate_s_exit_codes(run, requirement, code):
    from click.testing import CliRunner

    words = ["evaluate", str(run.folder), "--require", requirement, "--json"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code
    if code != 2:
        assert json.loads(result.stdout)["accuracy"] == 1.0
