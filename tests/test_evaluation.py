"""Evaluation: the same numbers as the training gave, other data, and requirements."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from images import write_classes

import cnnkit
from cnnkit.cli import main
from cnnkit.errors import CnnkitError, DataError, UsageError
from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.scores import Evaluation
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
    evaluation = _evaluate(run)
    assert evaluation.folder.resolve() == run.evaluation("test").resolve()
    assert evaluation.metrics == at_the_end
    written = json.loads((evaluation.folder / "metrics.json").read_text())
    assert written == at_the_end
    assert (evaluation.folder / "confusion_matrix.png").stat().st_size > 0


def test_predictions_csv_has_the_true_class_and_a_column_per_class(run):
    evaluation = _evaluate(run, split="validation")
    metrics = evaluation.metrics
    with (evaluation.folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "path", "label", "prediction", "probability",
        "num_pixels", "aspect_ratio", "brightness", "sharpness", "file_type",
        "p_blue", "p_green", "p_red",
    ]  # fmt: skip
    assert len(rows) == metrics["num_images"] == 6
    assert np.mean([row["label"] == row["prediction"] for row in rows]) == metrics["accuracy"]


def test_another_folder_is_scored_with_the_run_s_labels_even_if_it_lacks_classes(run, tmp_path):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(f"{source}/red", tmp_path / "other" / "red")
    with pytest.raises(UsageError, match="missing: blue, green"):
        _evaluate(run, data=tmp_path / "other")
    evaluation = _evaluate(run, data=tmp_path / "other", allow_missing_classes=True)
    metrics = evaluation.metrics
    assert evaluation.folder.name == "other"
    assert metrics["accuracy"] == 1.0
    assert metrics["per_class"]["red"]["support"] == 12
    assert np.array(metrics["confusion_matrix"])[2].tolist() == [0, 0, 12]


def test_other_classes_are_refused_with_the_difference(run, tmp_path):
    other = write_classes(tmp_path / "other", {"red": 1, "green": 1, "blue": 1, "grey": 1})
    with pytest.raises(UsageError, match=r"trained on 3 classes, .* has 4 \(new: grey\)"):
        _evaluate(run, data=other)


def test_a_broken_image_of_other_data_stops_the_command_or_is_named_and_left_out(run, tmp_path):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(source, tmp_path / "other")
    (tmp_path / "other" / "red" / "0.png").write_text("no image")
    with pytest.raises(DataError, match=r"(?s)red/0.png: it is not an image.*--skip-errors"):
        _evaluate(run, data=tmp_path / "other")
    notes = []
    evaluation = evaluate_model(
        str(run.folder), run.folder.parent, data=tmp_path / "other", skip_errors=True,
        note=notes.append,
    )  # fmt: skip
    assert evaluation.metrics["num_images"] == len(evaluation.predictions.paths) == 35
    assert not any(path.endswith("red/0.png") for path in evaluation.predictions.paths)
    assert [note for note in notes if note.startswith("Skipped red/0.png: it is not an image")]


def test_the_json_has_what_was_ignored_and_left_out(run, tmp_path):
    shutil.copytree(cnnkit.load_config(run.config).data.source, tmp_path / "other")
    (tmp_path / "other" / "red" / "0.png").write_text("no image")
    (tmp_path / "other" / "red" / "notes.txt").touch()
    words = ["evaluate", str(run.folder), "--data", str(tmp_path / "other"), "--json"]
    done = CliRunner().invoke(main, [*words, "--skip-errors"])
    ignored, *skipped = json.loads(done.stdout)["notes"]
    assert ignored == "Ignored: 1 file without an image extension (red/notes.txt)."
    assert skipped[0].startswith("Skipped red/0.png: it is not an image")


def test_images_that_changed_since_the_training_are_refused(run, tmp_path, monkeypatch):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(source, tmp_path / "moved")
    text = run.config.read_text().replace(source, str(tmp_path / "moved"))
    run.config.write_text(text)
    assert _evaluate(run).metrics["accuracy"] == 1.0
    path = next(row["path"] for row in run.read_split() if row["split"] == "test")
    shutil.copy(tmp_path / "moved" / "red" / "1.png", tmp_path / "moved" / path)
    with pytest.raises(CnnkitError, match="has changed"):
        _evaluate(run)


def test_results_on_other_data_never_replace_those_of_the_run_s_own_split(run, tmp_path):
    source = cnnkit.load_config(run.config).data.source
    shutil.copytree(source, tmp_path / "photos" / "test")
    before = (run.evaluation("test") / "metrics.json").read_bytes()
    for data in (tmp_path / "photos" / "test", tmp_path / "photos" / "test" / ".." / "test"):
        assert _evaluate(run, data=data).folder.name == "photos-test"
    evaluation = evaluate_model(str(run.last), run.folder.parent, note=lambda text: None)
    assert evaluation.folder.name == "test-last.keras"
    assert (run.evaluation("test") / "metrics.json").read_bytes() == before
    for name, words in (
        ("../x", "cannot be the name of a folder"),
        ("test", "is the run's own split"),
    ):
        with pytest.raises(UsageError, match=words):
            _evaluate(run, data=tmp_path / "photos" / "test", name=name)


def test_results_that_cannot_be_written_are_shown(run, tmp_path):
    at_the_end = json.loads((run.evaluation("test") / "metrics.json").read_text())
    shutil.rmtree(run.folder / "evaluation")
    (run.folder / "evaluation").touch()  # root may write into any folder, but not into a file
    done = CliRunner().invoke(main, ["evaluate", str(run.folder)])
    assert done.exit_code == 1
    assert f"accuracy           {at_the_end['accuracy']:.4f}" in done.stdout
    assert done.stderr.endswith("Give another folder: --output FOLDER.\n")
    requirement = ["--require", "log_loss<=0"]
    done = CliRunner().invoke(main, ["evaluate", str(run.folder), "--json", *requirement])
    facts = json.loads(done.stdout)
    assert (facts["accuracy"], facts["kind"]) == (at_the_end["accuracy"], "file")
    assert "required <= 0: NOT met" in done.stderr
    output = tmp_path / "scores"
    done = CliRunner().invoke(main, ["evaluate", str(run.folder), "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert json.loads((output / "metrics.json").read_text()) == at_the_end


def test_output_replaces_nothing_unasked(run, tmp_path):
    folder = tmp_path / "scores"
    folder.mkdir()
    (folder / "metrics.json").write_text("mine")
    with pytest.raises(UsageError, match=r"metrics.json exists.*--overwrite"):
        _evaluate(run, output=folder)
    assert (folder / "metrics.json").read_text() == "mine"
    assert _evaluate(run, output=folder, overwrite=True).folder == folder
    with pytest.raises(UsageError, match=r"metrics.json is a file. Give a folder"):
        _evaluate(run, output=folder / "metrics.json")
    with pytest.raises(UsageError, match="--name or --output, not both"):
        _evaluate(run, output=tmp_path / "new", name="a")
    (folder / "photo.jpg").write_bytes(b"mine")  # next to it, a picture of ours would be an image
    with pytest.raises(UsageError, match=r"photo.jpg in this folder is not a result of an eval"):
        _evaluate(run, output=folder, overwrite=True)


def test_a_requirement_that_is_not_met_is_in_the_json(run):
    done = CliRunner().invoke(
        main, ["evaluate", str(run.folder), "--json", "--require", "log_loss<=0"]
    )
    facts = json.loads(done.stdout)
    assert (facts["kind"], facts["exit_code"], done.exit_code) == ("requirement", 3, 3)
    assert facts["error"] in done.stderr and "accuracy" in facts


def test_the_text_has_the_totals_and_a_row_per_class(tmp_path):
    evaluation = Evaluation(
        tmp_path / "scores",
        Predictions(
            class_names=("cat", "a dog\n"),
            paths=["a", "b", "c", "d"],
            labels=np.array([0, 0, 1, 1]),
            probabilities=np.array([[0.5, 0.5], [0.25, 0.75], [0.0, 1.0], [0.125, 0.875]]),
        ),
    )
    assert evaluation.text().splitlines() == [
        "metric              value  95% interval",
        "images                  4",
        "accuracy           0.7500  0.3006 to 0.9544",
        "balanced_accuracy  0.7500  0.2579 to 0.9628",
        "macro_f1           0.7333  0.1751 to 0.9727",
        "weighted_f1        0.7333  0.1751 to 0.9727",
        "roc_auc            1.0000  0.5101 to 1.0000",
        "pr_auc             1.0000  0.5101 to 1.0000",
        "log_loss           0.5532  0.2961 to 1.0338",
        "brier_score        0.2070  0.0957 to 0.3917",
        "ece                0.3438  0.0000 to 0.6262",
        "cohen_kappa        0.5000  -0.4843 to 0.9257",
        "matthews_corrcoef  0.5774  -0.4736 to 0.9500",
        "",
        "class      precision  recall      f1  support",
        "cat           1.0000  0.5000  0.6667        2",
        '"a dog\\n"     0.6667  1.0000  0.8000        2',
    ]
    assert evaluation.as_dict() == {
        "folder": str(evaluation.folder), "notes": [], **evaluation.metrics
    }  # fmt: skip
    assert not evaluation.folder.exists()  # only `write` writes


@pytest.mark.parametrize(
    ("requirement", "code"), [("accuracy>=0.5", 0), ("accuracy<0.5", 3), ("x", 2)]
)
def test_the_exit_code_tells_whether_a_requirement_is_met(run, requirement, code):
    words = ["evaluate", str(run.folder), "--require", requirement, "--json"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code
    if code != 2:
        assert json.loads(result.stdout)["accuracy"] == 1.0


def test_a_loaded_run_is_scored_from_python(run):
    evaluation = cnnkit.load_run(run.folder).evaluate(split="validation", name="mine")
    assert evaluation.accuracy == evaluation.metrics["accuracy"]
    assert (run.folder / "evaluation" / "mine" / "reliability.svg").exists()
    assert len(evaluation.predictions) == 6


def test_wrong_requirements_are_found_before_images_are_scored(run):
    shutil.rmtree(run.folder / "evaluation")
    for requirement in ("acuracy>=0.9", "per_class.rde.recall>=0.9"):
        with pytest.raises(UsageError, match="Did you mean (accuracy|red)"):
            _evaluate(run, requirements=[requirement])
    with pytest.raises(UsageError, match="nowhere"):
        _evaluate(run, no_worse_than="nowhere")
    assert not (run.folder / "evaluation").exists()
