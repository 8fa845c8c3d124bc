"""`train --folds`: every image is a test image once, and a killed cross-validation continues."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from conftest import write_tiny_images
from interrupted_runs import InterruptedReport, weights_of
from whole_command import contents_of
from whole_command import run as command

import cnnkit
from cnnkit.config import load_config
from cnnkit.errors import UsageError
from cnnkit.evaluation.pooled_folds import evaluate_folds
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.locks import held
from cnnkit.runs.fold_runs import find_folds
from cnnkit.runs.run_list import list_runs

pytestmark = pytest.mark.usefixtures("no_pictures")
_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2}}
model: {layers: [{conv: {filters: 4, kernel_size: 3}}, global_pool]}
training: {epochs: 2, optimizer: {adam: {learning_rate: 0.05}}, tensorboard: false}
"""


@pytest.fixture(scope="module")
def start(made_once):
    """Return a folder with 27 images, a config, and a cross-validation of 3 folds in one go."""

    def fill(folder):
        write_tiny_images(folder / "images", images_per_class=9)
        (folder / "tiny.yaml").write_text(_CONFIG)
        cnnkit.train(folder / "tiny.yaml", folds=3, runs_folder=folder / "runs")

    return made_once("folds", fill)


@pytest.fixture
def folds(start):
    return find_folds("tiny-3fold", start / "runs")


@pytest.fixture
def own_folds(start, tmp_path):
    """Return a copy that a test may change, and a copy of its images, where its manifests say."""
    for name in ("images", "runs"):
        shutil.copytree(start / name, tmp_path / name)
    return find_folds("tiny-3fold", tmp_path / "runs")


def test_every_image_is_a_test_image_of_one_fold_and_never_of_its_training(folds):
    tested = Counter()
    for run in folds.runs:
        rows = run.read_split()
        assert len(rows) == 27
        tested.update(row["sha256"] for row in rows if row["split"] == "test")
        splits = Counter(row["split"] for row in rows)
        assert splits["test"] == 9
        assert splits["validation"] > 0
    assert set(tested.values()) == {1}
    assert len(tested) == 27


def test_mean_spread_and_pooled_matrix_are_those_of_the_folds(folds):
    found = evaluate_folds(folds)
    accuracies, matrix, correct = [], np.zeros((3, 3), int), 0
    for run in folds.runs:
        metrics = json.loads((run.evaluation("test") / "metrics.json").read_text())
        accuracies.append(metrics["accuracy"])
        matrix += np.array(metrics["confusion_matrix"])
        correct += metrics["accuracy"] * metrics["num_images"]
    assert found.mean["accuracy"] == pytest.approx(np.mean(accuracies))
    assert found.spread["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    assert found.metrics["accuracy"] == pytest.approx(correct / 27)
    assert found.metrics["confusion_matrix"] == matrix.tolist()
    pooled = read_predictions(folds.evaluation("test"))
    assert len(pooled) == len(set(pooled.paths)) == 27


def test_a_fold_is_the_run_that_its_manifest_alone_would_give(folds, start, tmp_path):
    manifest = folds.folder / "split.fold2.csv"
    run = cnnkit.train(
        start / "tiny.yaml", overrides=[f"data.source={manifest}"], runs_folder=tmp_path
    )
    pairs = zip(weights_of(run.last), weights_of(folds.runs[1].last), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_evaluate_prints_them_and_checks_requirements_on_the_pooled_images(own_folds):
    shutil.rmtree(own_folds.folder / "evaluation")
    done = command("evaluate", own_folds.folder, "--json", "--require", "accuracy>=0")
    facts = json.loads(done.stdout)
    assert (facts["mean"].keys(), len(facts["folds"])) == (facts["spread"].keys(), 3)
    assert (own_folds.folder / "evaluation" / "test" / "metrics.json").exists()
    assert [outcome["is_met"] for outcome in facts["requirements"]] == [True]
    assert facts["slices"] == {"tried": 0, "worse": []}  # no class has 10 images
    drawn = {path.name for path in (own_folds.folder / "evaluation" / "test").iterdir()}
    assert {"slices.csv", "least_certain.csv", "least_certain.png"} <= drawn
    itself = command("evaluate", own_folds.folder, "--no-worse-than", own_folds.folder)
    assert itself.exit_code == 0 and "0 images right only here" in itself.stderr
    assert command("evaluate", own_folds.folder, "--require", "accuracy>1").exit_code == 3
    text = command("evaluate", own_folds.folder).stdout
    assert text.split("\n")[0].split() == "mean spread pooled fold 1 fold 2 fold 3".split()
    refused = command("evaluate", own_folds.folder, "--split", "validation")
    assert (refused.exit_code, "it takes no --split" in refused.stderr) == (2, True)


def test_a_cross_validation_is_one_line_of_the_list(folds, start):
    (entry,) = list_runs(start / "runs").entries
    assert (entry.name, entry.status, entry.num_images) == ("tiny-3fold", "finished", 27)
    accuracies = [run.info()["metrics"]["test"]["accuracy"] for run in folds.runs]
    assert entry.metrics["test"]["accuracy"] == pytest.approx(np.mean(accuracies))
    assert entry.source == str(start / "images")
    best = command("runs", "best", "--runs-folder", start / "runs")
    assert (best.exit_code, "No finished run" in best.stderr) == (2, True)


def test_two_cross_validations_are_compared_on_all_images(own_folds, start, tmp_path):
    other = cnnkit.train(
        start / "tiny.yaml",
        folds=3,
        overrides=["training.epochs=1", "training.optimizer.adam.learning_rate=0.0001"],
        name="barely",
        runs_folder=own_folds.folder.parent,
    )
    comparison = cnnkit.compare([own_folds.folder, other.run_folder])
    trained, barely = comparison.runs
    assert comparison.pairs[0].num_images == 27
    accuracies = [run.info()["metrics"]["test"]["accuracy"] for run in own_folds.runs]
    assert trained.fold_accuracies == pytest.approx(accuracies)
    assert trained.fold_spread == pytest.approx(np.std(accuracies, ddof=1))
    assert barely.fold_mean == pytest.approx(other.mean["accuracy"])
    assert "\N{PLUS-MINUS SIGN}" in comparison.text()
    with pytest.raises(UsageError, match=r"not on validation. Name one fold: \S+fold1$"):
        cnnkit.compare([own_folds.folder, other.run_folder], evaluation="validation")
    keys = [each.key for each in comparison.differences]
    assert keys == ["training.epochs", "training.optimizer.adam.learning_rate"]


def test_a_model_is_asked_for_by_fold(folds, start):
    done = command("predict", start / "images", "--model", folds.folder)
    assert done.exit_code == 2
    assert "is a cross-validation of 3 folds. Name one of them" in done.stderr
    assert command("predict", start / "images", "--model", folds.runs[0].folder).exit_code == 0


@pytest.mark.parametrize("resumed", ["by name", pytest.param("the newest", marks=pytest.mark.slow)])
def test_an_interrupted_cross_validation_continues_and_finished_folds_stay(
    start, own_folds, tmp_path, resumed
):
    """Ctrl-C in the second epoch of the second fold."""
    from cnnkit.training.fold_training import train_folds

    class SecondFold(InterruptedReport):
        def note(self, text):
            super().note(text)
            if text.startswith("fold "):
                self.ended, self.epochs = 0, [1] if text == "fold 2 of 3" else []

    config = load_config(start / "tiny.yaml")
    with pytest.raises(KeyboardInterrupt) as caught:
        train_folds(config, 3, name="cut", runs_folder=tmp_path / "x", report=SecondFold())
    cut = find_folds("cut", tmp_path / "x")
    assert str(caught.value) == (
        f"Fold 2 of 3: Interrupted after epoch 1.\nTo continue: cnnkit train --resume {cut.folder}"
    )
    entry = list_runs(tmp_path / "x").entries[0]
    assert (entry.status, entry.problem) == ("interrupted", "1 of 3 folds are finished")
    unfinished = command("evaluate", cut.folder)
    assert "fold2, fold3 are not finished" in unfinished.stderr
    first = cut.runs[0].last.stat().st_mtime_ns
    found = cnnkit.resume(cut.folder if resumed == "by name" else None, runs_folder=tmp_path / "x")
    assert cut.runs[0].last.stat().st_mtime_ns == first
    assert found.metrics == evaluate_folds(own_folds).metrics
    for run, whole in zip(cut.runs, own_folds.runs, strict=True):
        pairs = zip(weights_of(run.last), weights_of(whole.last), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)


_KILLED = """
import os, signal, sys
from pathlib import Path
from cnnkit.config import load_config
from cnnkit.progress import Report
from cnnkit.training.fold_training import train_folds

class Killed(Report):
    fold = None
    def note(self, text):
        self.fold = text if text.startswith("fold ") else self.fold
        if sys.argv[3] == "before" and text.startswith("run: ") and "fold 2" in self.fold:
            os.kill(os.getpid(), signal.SIGKILL)
    def batch_done(self, *_):
        if sys.argv[3] == "within" and "fold 2" in self.fold:
            os.kill(os.getpid(), signal.SIGKILL)

config = load_config(Path(sys.argv[1]))
train_folds(config, 3, name="killed", runs_folder=Path(sys.argv[2]), report=Killed())
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("place", ["before", "within"])
def test_a_killed_cross_validation_ends_as_one_in_one_go(start, folds, tmp_path, place):
    words = [sys.executable, "-c", _KILLED, str(start / "tiny.yaml"), str(tmp_path), place]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    done = command("train", "--resume", tmp_path / "killed", "--json")
    assert done.exit_code == 0, done.output
    killed = find_folds("killed", tmp_path)
    assert [run.info()["status"] for run in killed.runs] == ["finished"] * 3
    assert json.loads(done.stdout)["pooled"] == evaluate_folds(folds).metrics


def test_a_fold_that_was_killed_at_its_start_is_trained_again(own_folds):
    third = own_folds.runs[2]
    shutil.rmtree(third.folder)
    for name in ("weights", "plots"):
        (third.folder / name).mkdir(parents=True)
    found = cnnkit.resume(own_folds.folder)
    assert third.info()["status"] == "finished"
    assert len(found.folds) == 3


def test_a_damaged_fold_is_named_with_what_to_do(own_folds):
    own_folds.runs[1].tflite.unlink()
    with pytest.raises(UsageError, match=r"fold2 is damaged: model.tflite missing.*runs rm \S+2"):
        cnnkit.resume(own_folds.folder)
    assert list_runs(own_folds.folder.parent).entries[0].status == "damaged"
    (own_folds.folder / "folds.json").write_text("{")
    assert "folds.json is damaged" in command("evaluate", own_folds.folder).stderr
    assert list_runs(own_folds.folder.parent).entries[0].status == "damaged"


def test_only_one_process_trains_a_cross_validation(own_folds):
    with held(own_folds.lock):
        done = command("train", "--resume", own_folds.folder)
        assert (done.exit_code, "by another process" in done.stderr) == (2, True)
        removal = command("runs", "rm", own_folds.folder, "--yes")
        assert (removal.exit_code, "is being trained" in removal.stderr) == (2, True)


def test_removing_a_cross_validation_leaves_nothing_but_files_of_others(own_folds):
    refused = command("runs", "rename", own_folds.folder, "x")
    assert (refused.exit_code, "cannot be renamed" in refused.stderr) == (2, True)
    for picture in own_folds.folder.rglob("*.png"):  # empty, as no_pictures leaves them
        picture.unlink()
    (own_folds.runs[0].folder / "notes.txt").write_text("mine")
    done = command("runs", "rm", own_folds.folder, "--yes")
    assert done.exit_code == 0, done.output
    assert list(contents_of(own_folds.folder)) == [own_folds.runs[0].folder / "notes.txt"]


def test_what_cannot_be_divided_or_trained_leaves_no_folder(start, tmp_path):
    config = start / "tiny.yaml"
    for words, text in (
        (["--folds", 12], "too few images"),
        (["--folds", 200], "must be from 2 to 100"),
        (["--folds", 1], "not in the range"),
        (["--folds", 3, "--dry-run"], "Give it without --folds"),
        (["--folds", 3, "--set", "data.image_size=1"], "image"),
        (["--resume", "x", "--folds", 3], "it takes no"),
    ):
        path = [] if "--resume" in words else [config]
        done = command("train", *path, *words, "--runs-folder", tmp_path / "runs")
        assert done.exit_code in (1, 2), done.output
        assert text in done.stderr, done.stderr
        assert not list((tmp_path / "runs").glob("*")), words


def test_a_source_with_splits_of_its_own_has_no_folds(start, tmp_path):
    with (tmp_path / "own.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for path in sorted((start / "images").rglob("*.png")):
            split = "test" if path.stem in "012" else "train"
            writer.writerow([path, path.parent.name, split])
    words = ["--set", f"data.source={tmp_path / 'own.csv'}", "--runs-folder", tmp_path / "runs"]
    done = command("train", start / "tiny.yaml", "--folds", 3, *words)
    assert (done.exit_code, "has its own splits" in done.stderr) == (2, True)


def test_columns_of_the_users_own_table_become_slices_of_all_folds(start, tmp_path):
    shutil.copytree(start / "images", tmp_path / "images")
    paths = sorted(path.relative_to(tmp_path) for path in (tmp_path / "images").rglob("*.png"))
    rows = [
        f"{path},{path.parent.name},{'old' if i % 2 else 'new'}" for i, path in enumerate(paths)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,camera", *rows]))
    config = _CONFIG.replace("images,", "table.csv,").replace("epochs: 2", "epochs: 1")
    (tmp_path / "table.yaml").write_text(config)
    cnnkit.train(tmp_path / "table.yaml", folds=2, runs_folder=tmp_path / "runs")
    done = command("evaluate", tmp_path / "runs" / "table-2fold", "--json")
    assert done.exit_code == 0, done.stderr
    with (tmp_path / "runs" / "table-2fold" / "evaluation" / "test" / "slices.csv").open() as file:
        slices = {(row["by"], row["value"]): row["images"] for row in csv.DictReader(file)}
    assert (slices["camera", "old"], slices["camera", "new"]) == ("13", "14")
