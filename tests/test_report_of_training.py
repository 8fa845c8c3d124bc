"""Reports of runs that were really trained."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from conftest import write_tiny_images
from huggingface_hub import ModelCard
from test_report import read

import cnnkit
from cnnkit.errors import UsageError
from cnnkit.report import report_after_training, write_report
from cnnkit.runs import Run
from cnnkit.runs.fold_runs import find_folds
from cnnkit.runs.run_files import contents_of

_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2}}
model: {layers: [{conv: {filters: 4, kernel_size: 3}}, global_pool], output: OUTPUT}
training: {epochs: 2, tensorboard: false}
"""


@pytest.fixture
def own_run(trained_run, tmp_path):
    """Return a copy of a trained run that a test may change."""
    shutil.copytree(trained_run.folder, tmp_path / "own")
    return Run(tmp_path / "own")


def _section(written, name):
    return next(each for each in written.sections if each.name == name)


def test_a_training_leaves_a_report_and_says_where(trained_run):
    assert trained_run.report.is_file()
    assert f"report      {trained_run.report}" in trained_run.text()
    words = read(trained_run.report).words
    accuracy = trained_run.info()["metrics"]["test"]["accuracy"]
    number = trained_run.info()["metrics"]["test"]["num_images"]
    assert f"Of {number} test images" in words and f"gets {round(number * accuracy)} right" in words
    assert "cnnkit report" in words  # what adds Grad-CAM
    assert trained_run.report not in contents_of(trained_run.folder).others


def test_the_command_adds_maps_of_the_errors_slices_and_the_check(own_run):
    # Enough wrong answers, whatever was learned: the classes change places.
    names = own_run.class_names()
    table = own_run.evaluation("test") / "predictions.csv"
    lines = table.read_text().splitlines()
    turned = [lines[0]]
    for line in lines[1:]:
        path, label, *rest = line.split(",")
        turned.append(",".join([path, names[(names.index(label) + 1) % len(names)], *rest]))
    table.write_text("\n".join(turned) + "\n")
    written = write_report(own_run)
    errors = _section(written, "errors").values
    assert errors["has_maps"] and errors["why_no_maps"] == ""
    # A map that is 0 everywhere is not drawn.
    maps = [each["map"] for each in errors["errors"] if each["map"]]
    assert maps and all(each.startswith("data:image/") for each in maps)
    assert _section(written, "slices").values is not None
    assert _section(written, "network").values["totals"][0] == (
        "parameters",
        f"{own_run.info()['parameters']:,}",
    )


def test_a_report_that_cannot_be_written_does_not_fail_the_training(own_run):
    own_run.config.unlink()
    notes = []
    report_after_training(own_run, notes.append)
    assert len(notes) == 1
    assert "The training is complete, but its report could not be written" in notes[0]
    assert f"cnnkit report {own_run.argument}" in notes[0]


def test_the_run_of_one_sigmoid_unit_has_both_classes(tmp_path):
    write_tiny_images(tmp_path / "images", images_per_class=9)
    shutil.rmtree(next((tmp_path / "images").iterdir()))
    (tmp_path / "two.yaml").write_text(_CONFIG.replace("OUTPUT", "sigmoid"))
    run = cnnkit.train(tmp_path / "two.yaml", runs_folder=tmp_path / "runs")
    written = write_report(run)
    assert len(_section(written, "classes").values["rows"]) == 2
    assert "one sigmoid unit, the probability of the second class" in read(written.path).words


def test_the_page_of_a_cross_validation_is_about_all_images(tmp_path):
    write_tiny_images(tmp_path / "images", images_per_class=6)
    (tmp_path / "tiny.yaml").write_text(_CONFIG.replace("OUTPUT", "softmax"))
    cnnkit.train(tmp_path / "tiny.yaml", folds=2, runs_folder=tmp_path / "runs")
    folds = find_folds("tiny-2fold", tmp_path / "runs")
    page = read(folds.report)
    assert "Of 18 images, each answered by a model that never saw it in training" in page.words
    metrics = json.loads((folds.evaluation("test") / "metrics.json").read_text())
    assert f"gets {round(18 * metrics['accuracy'])} right" in page.words
    assert len(page.sources) > 12  # its images are found
    assert "no longer there" not in page.words and "has changed" not in page.words
    written = write_report(folds)
    assert _section(written, "metrics").values["folds"][0][0] == "fold1"
    curves = _section(written, "curves").values["folds"]
    assert curves["names"] == ["fold1", "fold2"] and len(curves["charts"]) == 4
    errors = _section(written, "errors").values["errors"]
    assert all((tmp_path / "images" / each["path"]).is_file() for each in errors)
    # The answers were given by different models, each of which explains its own.
    explained = {str(tmp_path / "images" / each["path"]) for each in errors if each["map"]}
    for run in folds.runs:
        tested = {row["path"] for row in run.read_split() if row["split"] == "test"}
        assert explained & tested
    card = ModelCard((folds.folder / "model_card.md").read_text())
    assert card.data.eval_results[0].metric_value == metrics["accuracy"]
    assert card.data.eval_results[0].dataset_name == "images"
    accuracies = [run.info()["metrics"]["test"]["accuracy"] for run in folds.runs]
    for sentence in (
        "It is a cross-validation: 2 models of the same kind",
        f"single fold is {np.mean(accuracies):.1%} on average, with a standard deviation of "
        f"{100 * np.std(accuracies, ddof=1):.1f} points over 2 folds",
        "cnnkit predict IMAGE --model fold1/model.tflite",
    ):
        assert sentence in card.text
    shutil.rmtree(folds.folder / "evaluation")
    with pytest.raises(UsageError, match="no pooled results yet"):
        write_report(folds)
