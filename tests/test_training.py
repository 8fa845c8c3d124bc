"""A training learns, repeats, stops early, and writes everything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import write_tiny_images
from notes import Notes
from training_commands import history_of, weights_of

import cnnkit
from cnnkit.cli import main
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.runs import find_run
from cnnkit.training.history import History

# The run that the tests share, and those of other processes, have pictures.
pytestmark = pytest.mark.usefixtures("no_pictures")


def _train_command(*words):
    done = CliRunner().invoke(main, ["train", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_a_training_learns_and_writes_everything(trained_run):
    info = trained_run.info()
    assert info["status"] == "finished"
    assert info["metrics"]["test"]["accuracy"] == 1.0
    assert info["data"]["counts"]["train"] == {"blue": 8, "green": 8, "red": 8}
    assert trained_run.class_names() == ("blue", "green", "red")
    history = history_of(trained_run)
    assert list(history[0]) == [
        "epoch", "phase", "train_loss", "val_loss", "train_accuracy", "val_accuracy",
        "learning_rate", "seconds",
    ]  # fmt: skip
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert info["best_epoch"] == 1 + int(np.argmin([row["val_loss"] for row in history]))
    for file in (
        trained_run.config, trained_run.best, trained_run.last, trained_run.tflite,
        trained_run.golden, trained_run.plot("curves"),
        trained_run.evaluation("test") / "metrics.json",
        trained_run.evaluation("validation") / "confusion_matrix.png",
    ):  # fmt: skip
        assert file.stat().st_size > 0
    assert list((trained_run.folder / "tensorboard").glob("events.*"))


def test_the_run_s_config_trains_again_from_anywhere(trained_run):
    config = cnnkit.load_config(trained_run.config)
    assert os.path.isabs(config.data.source)
    assert config.training.optimizer.arguments == {"learning_rate": 0.05}


_RANDOM = [
    "training.epochs=2",
    "augmentation=[random_flip, {random_rotation: 0.1}, {random_contrast: 0.3}]",
    "model.layers=[{conv: {filters: 4, kernel_size: 3}}, batch_norm, flatten, {dropout: 0.5}]",
]


def test_the_same_seed_gives_the_same_weights_bit_for_bit(tiny_config, tmp_path):
    code = (
        "import cnnkit, sys; cnnkit.train(sys.argv[1], overrides=sys.argv[3:], name='a',"
        " runs_folder=sys.argv[2])"
    )
    command = [sys.executable, "-c", code, tiny_config, tmp_path, *_RANDOM]
    subprocess.run(command, check=True, capture_output=True)
    # This process has trained other models before, and its hashes of strings are others.
    for name, more in (("b", []), ("c", ["training.seed=1", "training.epochs=1"])):
        cnnkit.train(tiny_config, overrides=[*_RANDOM, *more], name=name, runs_folder=tmp_path)
    one, same, other = (weights_of(find_run(name, tmp_path), "last") for name in ("a", "b", "c"))
    assert all((x == y).all() for x, y in zip(one, same, strict=True))
    assert (tmp_path / "a/model.tflite").read_bytes() == (tmp_path / "b/model.tflite").read_bytes()
    assert not (one[0] == other[0]).all()


def test_best_weights_are_those_of_the_best_epoch_not_of_the_last(tiny_config, tmp_path):
    from cnnkit.backend import keras
    from cnnkit.data.dataset import load_dataset

    run = cnnkit.train(
        tiny_config,
        runs_folder=tmp_path,
        overrides=["training.monitor=val_accuracy", "training.epochs=12"],
    )
    dataset = load_dataset(cnnkit.load_config(run.config).data)
    validation = dataset.select("validation")
    targets = np.eye(3)[dataset.labels[validation]]

    def loss(path):
        probabilities = keras.models.load_model(path, compile=False)(dataset.pixels(validation))
        return float(np.mean(keras.losses.categorical_crossentropy(targets, probabilities)))

    history = history_of(run)
    best = int(np.argmax([row["val_accuracy"] for row in history]))  # the first of equal ones
    assert best < len(history) - 1
    assert run.info()["best_epoch"] == best + 1
    assert loss(run.best) == pytest.approx(history[best]["val_loss"], rel=1e-3)
    assert loss(run.last) == pytest.approx(history[-1]["val_loss"], rel=1e-3)
    assert history[best]["val_loss"] != pytest.approx(history[-1]["val_loss"], rel=1e-2)


@pytest.mark.parametrize(("epochs", "is_early"), [(4, True), (3, False)])
def test_early_stopping_waits_its_patience_and_is_reported_if_it_is_early(
    tiny_config, tmp_path, epochs, is_early
):
    overrides = [
        "training.optimizer={sgd: {learning_rate: 0.000000001}}",  # nothing improves
        "training.monitor=val_accuracy",
        "training.early_stopping={patience: 2}",
        f"training.epochs={epochs}",
    ]
    from cnnkit.training.run import train

    report = Notes()
    config = cnnkit.load_config(tiny_config, overrides)
    run = train(config, name="a", runs_folder=tmp_path, report=report)
    assert len(history_of(run)) == 3
    assert run.info()["best_epoch"] == 1
    text = "Stopped early: val_accuracy has not improved for 2 epochs (best: epoch 1)."
    assert (text in report.notes) == is_early
    assert any("Stopped early" in note for note in report.notes) == is_early


def test_class_weights_make_the_loss_of_that_class_count(tiny_config, tmp_path):
    def first_loss(weights):
        run = cnnkit.train(
            tiny_config,
            runs_folder=tmp_path,
            overrides=[
                "training.epochs=1",
                "training.optimizer={sgd: {learning_rate: 0.000000001}}",
                f"training.class_weights={weights}",
            ],
        )
        return history_of(run)[0]["train_loss"]

    plain, auto, tripled = (
        first_loss("null"),
        first_loss("auto"),
        first_loss("{red: 3, blue: 3, green: 3}"),
    )
    assert auto == pytest.approx(plain, rel=1e-5)  # the classes are balanced
    assert tripled == pytest.approx(3 * plain, rel=1e-5)


def test_a_class_weight_for_an_unknown_class_is_refused(tiny_config, tmp_path):
    with pytest.raises(UsageError, match=r"names the class 'rde'.* Did you mean red\?"):
        cnnkit.train(
            tiny_config, runs_folder=tmp_path, overrides=["training.class_weights={rde: 2}"]
        )


def test_a_loss_that_becomes_nan_stops_the_training_with_advice(tiny_config, tmp_path):
    with pytest.raises(CnnkitError, match=r"became NaN or infinite in epoch \d+ at step \d+"):
        cnnkit.train(
            tiny_config,
            runs_folder=tmp_path,
            overrides=["training.optimizer={sgd: {learning_rate: 1e38}}"],
        )
    info = json.loads((tmp_path / "tiny" / "run.json").read_text())
    assert info["status"] == "failed"
    assert "Lower the learning_rate of sgd" in info["error"]


def test_the_monitor_epoch_keeps_the_last_weights(tmp_path):
    history = History(tmp_path / "history.csv", "epoch")
    for loss in (0.5, 0.1, 0.7):
        row = history.next_row({"loss": loss, "accuracy": 0.5}, learning_rate=0.1, seconds=1)
        assert history.append(row)
    assert history.best["epoch"] == 3
    assert history.epochs_since_best == 0


def test_without_validation_images_the_monitor_must_be_of_training(tiny_config, tmp_path):
    with pytest.raises(UsageError, match="there are no validation images"):
        cnnkit.train(
            tiny_config, runs_folder=tmp_path, overrides=["data.split={validation: 0, test: 0.2}"]
        )
    run = cnnkit.train(
        tiny_config,
        runs_folder=tmp_path,
        overrides=[
            "data.split={validation: 0, test: 0}",
            "training.monitor=epoch",
            "training.epochs=1",
        ],
    )
    assert run.info()["metrics"] == {}
    assert run.tflite.exists()


def test_two_classes_with_one_sigmoid_unit_train_and_answer_for_both(tmp_path):
    run = cnnkit.train(
        _two_class_config(tmp_path), runs_folder=tmp_path / "runs", overrides=["training.epochs=8"]
    )
    assert run.info()["metrics"]["test"]["accuracy"] == 1.0
    answer = cnnkit.load_run(run.folder).predict([str(tmp_path / "images" / "red" / "0.png")])[0]
    assert answer.top(1)[0][0] == "red"
    assert answer.probabilities.sum() == pytest.approx(1)


def _two_class_config(tmp_path):
    write_tiny_images(tmp_path / "images", images_per_class=12)
    for file in (tmp_path / "images" / "green").iterdir():
        file.unlink()
    (tmp_path / "images" / "green").rmdir()
    path = tmp_path / "two.yaml"
    path.write_text(
        """
data: {source: images, image_size: 16, batch_size: 50, split: {validation: 0.2, test: 0.2}}
model:
  layers: [{conv: {filters: 4, kernel_size: 3, activation: relu}}, global_pool]
  output: sigmoid
training: {optimizer: {rmsprop: {learning_rate: 0.1}}, label_smoothing: 0.1}
"""
    )
    return path


def test_the_progress_in_a_pipe_is_one_line_per_epoch(tiny_config, tmp_path):
    done = _train_command(tiny_config, "--epochs", 2, "--runs-folder", tmp_path, "--json")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("pixels: 36 images of 16 x 16 x 3, 27.6 kB, ")
    assert lines[1] == f"run: {tmp_path / 'tiny'}"
    assert [line.split("  ")[0] for line in lines[2:]] == ["epoch 1/2", "epoch 2/2"]
    assert "images/s" in lines[2]
    assert json.loads(done.stdout)["status"] == "finished"


def test_the_json_has_what_was_ignored(tiny_config, tmp_path):
    shutil.copytree(tiny_config.parent, tmp_path / "copy")
    (tmp_path / "copy" / "images" / "red" / "notes.txt").touch()
    done = _train_command(tmp_path / "copy" / "tiny.yaml", "--epochs", 1, "--json")
    ignored = "Ignored: 1 file without an image extension (red/notes.txt)."
    assert ignored in json.loads(done.stdout)["data"]["notes"]
    assert ignored in done.stderr.splitlines()


def test_a_dry_run_checks_everything_and_writes_no_run(tiny_config, tmp_path):
    done = _train_command(tiny_config, "--dry-run", "--runs-folder", tmp_path / "runs")
    assert "train: 24 images" in done.stdout
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["training.class_weights={rde: 2}"], "Did you mean red"),
        (["augmentation=[random_hue: 0.1]", "data.color_mode=grayscale"], r"augmentation\[0\]"),
    ],
)
def test_what_cannot_be_trained_leaves_no_run(tiny_config, tmp_path, overrides, words):
    with pytest.raises(UsageError, match=words):
        cnnkit.train(tiny_config, runs_folder=tmp_path / "runs", overrides=overrides)
    assert not (tmp_path / "runs").exists()


def test_a_set_smaller_than_a_batch_trains_on_all_its_images(tiny_config, tmp_path):
    run = cnnkit.train(
        tiny_config, runs_folder=tmp_path, overrides=["data.batch_size=500", "training.epochs=1"]
    )
    assert run.info()["status"] == "finished"
