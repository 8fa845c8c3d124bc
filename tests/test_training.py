"""Real tiny trainings: what they write, that they repeat, how they stop."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import write_tiny_images

import cnnkit
from cnnkit.cli import main
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.progress import Report
from cnnkit.runs import find_run

# The run that the tests share, and those of other processes, have pictures.
pytestmark = pytest.mark.usefixtures("no_pictures")


def _weights(run, which="best"):
    from cnnkit.backend import keras

    path = run.best if which == "best" else run.last
    return keras.models.load_model(path, compile=False).get_weights()


def _history(run):
    with run.history.open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


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
    history = _history(trained_run)
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
    one, same, other = (_weights(find_run(name, tmp_path), "last") for name in ("a", "b", "c"))
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

    history = _history(run)
    best = int(np.argmax([row["val_accuracy"] for row in history]))  # the first of equal ones
    assert best < len(history) - 1
    assert run.info()["best_epoch"] == best + 1
    assert loss(run.best) == pytest.approx(history[best]["val_loss"], rel=1e-3)
    assert loss(run.last) == pytest.approx(history[-1]["val_loss"], rel=1e-3)
    assert history[best]["val_loss"] != pytest.approx(history[-1]["val_loss"], rel=1e-2)


class _Notes(Report):
    """Keeps the sentences for the user."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


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
    from cnnkit.training import train

    report = _Notes()
    config = cnnkit.load_config(tiny_config, overrides)
    run = train(config, name="a", runs_folder=tmp_path, report=report)
    assert len(_history(run)) == 3
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
        return _history(run)[0]["train_loss"]

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
            "training.monitor=train_loss",
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


@pytest.fixture(scope="module")
def ctrl_c_on_a_terminal(tiny_config, tmp_path_factory):
    """Return (exit code, what the terminal showed, run) of a training that Ctrl-C ended.

    It has so few epochs that it ends in minutes if it does not hear Ctrl-C.
    """
    import pty

    folder = tmp_path_factory.mktemp("terminal")
    command = [
        sys.executable, "-m", "cnnkit", "train", tiny_config, "--epochs", "1000",
        "--runs-folder", folder,
    ]  # fmt: skip
    terminal, its_end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160"}
    process = subprocess.Popen(
        command, stdin=its_end, stdout=its_end, stderr=its_end, env=environment
    )
    os.close(its_end)
    shown, interrupted = b"", False
    with contextlib.suppress(OSError):  # Linux ends the last read so
        while chunk := os.read(terminal, 4096):
            shown += chunk
            if not interrupted and shown.count(b"train_loss") >= 3:
                process.send_signal(signal.SIGINT)
                interrupted = True
    os.close(terminal)
    return process.wait(), shown.decode(), find_run("tiny", folder)


def test_ctrl_c_keeps_the_best_weights_and_exits_with_130(ctrl_c_on_a_terminal):
    exit_code, text, run = ctrl_c_on_a_terminal
    _assert_best_weights_kept(exit_code, text, run)


@pytest.mark.slow
def test_sigterm_does_what_ctrl_c_does(tiny_config, tmp_path):
    process, run = _after_three_epochs(tiny_config, tmp_path)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    _assert_best_weights_kept(process.returncode, stderr, run)


def _assert_best_weights_kept(exit_code, text, run):
    assert exit_code == 130, text
    assert text.count("Interrupted") == 1 and "The best weights so far are kept" in text
    assert "Traceback" not in text
    assert run.info()["status"] == "interrupted"
    assert cnnkit.load_run(run.folder).class_names == ("blue", "green", "red")


def _after_three_epochs(tiny_config, folder):
    """Return a training process that has finished three epochs and continues, and its run."""
    command = [
        sys.executable, "-m", "cnnkit", "train", tiny_config, "--epochs", "1000",
        "--runs-folder", folder,
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    history = folder / "tiny" / "history.csv"
    while process.poll() is None and not (
        history.exists() and len(history.read_text().splitlines()) > 3
    ):
        time.sleep(0.05)
    return process, find_run("tiny", folder)


def _interrupted(*arguments, **more):
    raise KeyboardInterrupt


def test_ctrl_c_after_the_last_epoch_keeps_a_model_that_answers(tiny_config, tmp_path, monkeypatch):
    # The first thing after the last epoch.
    monkeypatch.setattr("cnnkit.training.results.plot_curves", _interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        cnnkit.train(tiny_config, runs_folder=tmp_path, overrides=["training.epochs=1"])
    run = find_run("tiny", tmp_path)
    assert run.info()["status"] == "interrupted"
    assert str(caught.value).splitlines() == [
        "Interrupted after epoch 1, the last one, while the results were being written.",
        f"The best weights so far are kept: {run.best}",
        f"They can be used now: cnnkit predict IMAGE --model {run.folder}",
        f"To continue: cnnkit train --resume {run.folder}",
    ]
    assert cnnkit.load_run(run.folder).class_names == ("blue", "green", "red")
    monkeypatch.undo()
    assert cnnkit.resume(run.folder).info()["status"] == "finished"


def test_ctrl_c_while_images_are_read_names_the_command_that_starts_again(
    tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr("cnnkit.training.plan.load_dataset", _interrupted)
    config = tmp_path / "my tiny.yaml"
    config.symlink_to(tiny_config)
    words = ["train", str(config), "--epochs", "3", "--set", "data.batch_size=4", "--name", "a b"]
    for _ in range(2):  # the second time with the command that the first one prints
        done = CliRunner().invoke(main, [*words, "--runs-folder", str(tmp_path / "runs")])
        assert done.exit_code == 130
        said, again = done.stderr.splitlines()[-2:]
        assert said == "Interrupted before the first epoch: nothing was trained."
        command, *words = shlex.split(again.removeprefix("To start again: "))
        assert command == "cnnkit"
        assert words == [
            "train", str(config), "--set", "data.batch_size=4", "--set", "training.epochs=3",
            "--name", "a b", "--runs-folder", str(tmp_path / "runs"),
        ]  # fmt: skip
        words = words[:-2]
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_killed_training_leaves_whole_files(tiny_config, tmp_path):
    process, run = _after_three_epochs(tiny_config, tmp_path)
    process.kill()
    process.communicate()
    assert run.info()["status"] == "interrupted"
    assert _history(run)[2]["epoch"] == 3
    assert _weights(run, "best") and _weights(run, "last")
    with pytest.warns(UserWarning, match=r"has no model.tflite, so its best weights are used"):
        model = cnnkit.load_run(run.folder)
    assert model.predictor.path == run.best
    assert model.class_names == ("blue", "green", "red")


def test_the_progress_in_a_pipe_is_one_line_per_epoch(tiny_config, tmp_path):
    done = _train_command(tiny_config, "--epochs", 2, "--runs-folder", tmp_path, "--json")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("pixels: 36 images of 16 x 16 x 3, 27.6 kB, ")
    assert lines[1] == f"run: {tmp_path / 'tiny'}"
    assert [line.split("  ")[0] for line in lines[2:]] == ["epoch 1/2", "epoch 2/2"]
    assert "images/s" in lines[2]
    assert json.loads(done.stdout)["status"] == "finished"


def test_the_progress_on_a_terminal_moves_and_keeps_one_line_per_epoch(ctrl_c_on_a_terminal):
    _, text, run = ctrl_c_on_a_terminal
    assert "0/24" in text and "left" in text
    assert text.count("train_loss") == len(_history(run)) >= 3


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
