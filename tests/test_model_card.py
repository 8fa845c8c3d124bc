"""The model card: Hugging Face reads its fields, and its numbers are those of metrics.json."""

from __future__ import annotations

import json
import shutil

import pytest
from huggingface_hub import ModelCard
from scored_runs import predictions_of
from whole_command import run as command

import cnnkit
from cnnkit.errors import DataError
from cnnkit.evaluation.all_metrics import all_metrics
from cnnkit.report.card_text import code, markdown_table
from cnnkit.report.model_card import write_model_card
from cnnkit.runs import Run
from cnnkit.runs.run_files import contents_of


@pytest.fixture
def run(trained_run, tmp_path):
    """Return a copy of a run that a test may change."""
    shutil.copytree(trained_run.folder, tmp_path / "tiny")
    return Run(tmp_path / "tiny")


def _rewritten(run, **changes):
    """Return the lines of the card after metrics.json of the test images was changed."""
    path = run.evaluation("test") / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return write_model_card(run).read_text().split("\n")


def test_hugging_face_reads_the_fields_and_the_numbers_are_those_of_the_evaluation(run):
    card = ModelCard(write_model_card(run).read_text())
    metrics = json.loads((run.evaluation("test") / "metrics.json").read_text())
    found = {each.metric_type: each.metric_value for each in card.data.eval_results}
    assert found == {
        "accuracy": metrics["accuracy"],
        "f1": metrics["macro_f1"],
        "roc_auc": metrics["roc_auc"],
        "brier_score": metrics["brier_score"],
        "matthews_correlation": metrics["matthews_corrcoef"],
    }
    assert card.data.library_name == "keras"
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.license is None
    assert card.data.metrics == list(found)
    (result,) = {(each.dataset_name, each.dataset_split) for each in card.data.eval_results}
    assert result[1] == "test" and "/" not in result[0]
    headings = [line for line in card.text.split("\n") if line.startswith("## ")]
    assert headings == [
        "## Model details", "## Uses", "## Bias, risks, and limitations",
        "## How to get started with the model", "## Training details", "## Evaluation",
        "## Technical specifications",
    ]  # fmt: skip


def test_the_python_of_the_card_runs(run, monkeypatch, capsys):
    text = write_model_card(run).read_text()
    program = text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(run.folder)
    cnnkit.load_run(run.folder).evaluate()  # draws pictures into the run
    shutil.copy(run.evaluation("test") / "least_certain.png", "image.jpg")
    exec(program)  # what a reader of the card would type
    assert "image.jpg" in capsys.readouterr().out


def test_weak_classes_and_confusions_are_named(run):
    right = [False, True, True] * 20  # nearly all of the first class are taken for the second
    right[0] = True
    answers = predictions_of(right, class_names=("red", "green", "blue"))
    text = "\n".join(_rewritten(run, **all_metrics(answers)))
    assert "missed more often than others: `red` is recognised in 5.0% of its images" in text
    assert "The commonest confusions: `red` is taken for `green` (19 of 20)." in text
    assert "`green` is recognised" not in text
    assert "Classes with fewer than 50 training images: " in text


def test_the_card_of_a_large_sound_evaluation_names_no_weak_class(run):
    answers = predictions_of([True] * 600, class_names=("red", "green", "blue"))
    text = "\n".join(_rewritten(run, **all_metrics(answers)))
    assert "missed more often" not in text
    assert "The evaluation has only" not in text
    assert "The commonest confusions" not in text


def test_a_calibration_is_described_by_its_own_measurements(run):
    measured = {"ece": 0.02, "ece_before": 0.11, "coverage": 0.7, "precision": 0.95}
    run.calibration.write_text(json.dumps({"measured": {"test": measured}}))
    text = write_model_card(run).read_text()
    assert "right answers by 0.020 on average, before by 0.110" in text
    assert "it answers 70.0%, and 95.0% of these answers are right" in text
    assert "cannot tell whether a picture is of another kind" not in text
    run.calibration.write_text("{}")
    with pytest.raises(DataError, match="calibration.json is damaged"):
        write_model_card(run)


def test_slices_are_described_after_an_evaluation(run):
    assert "was not measured" in write_model_card(run).read_text()
    cnnkit.load_run(run.folder).evaluate()
    assert "was not measured" not in write_model_card(run).read_text()


def test_names_cannot_break_a_table():
    assert code("a`b|c") == "`a'b|c`"
    assert markdown_table(["class", "n"], [[code("a|b"), "1"]])[2] == r"| `a\|b` | 1 |"


def test_trainings_and_reports_write_it_and_it_belongs_to_the_run(run):
    card = run.folder / "model_card.md"
    assert card in contents_of(run.folder).written  # the training wrote it
    card.unlink()
    done = command("report", run.folder, "--json")
    assert json.loads(done.stdout)["model_card"] == str(card) and card.is_file()
    card.unlink()
    assert command("report", run.folder, "-o", run.folder.parent / "page.html").exit_code == 0
    assert not card.exists()
