"""Trainings that are killed or interrupted, and resumed to the weights they would have had."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import write_tiny_images

import cnnkit
from cnnkit.cli import main
from cnnkit.config import load_config
from cnnkit.errors import CnnkitError, DataError, UsageError
from cnnkit.locks import held
from cnnkit.progress import Report
from cnnkit.runs import Run, find_run

pytestmark = pytest.mark.usefixtures("no_pictures")

_PLAIN = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
augmentation: [random_flip: horizontal, random_rotation: 0.1]
model:
  layers:
    - conv: {filters: 4, kernel_size: 3}
    - batch_norm
    - activation: relu
    - global_pool
    - dropout: 0.3
training:
  epochs: 7
  optimizer: {adamw: {learning_rate: 0.05, weight_decay: 0.01}}
  schedule: {plateau: {patience: 1, factor: 0.5}}
"""
_PHASES = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
model:
  backbone: {run: runs/start}
  head: [dense: 8, dropout: 0.3]
training:
  optimizer: {adam: {learning_rate: 0.05}}
  schedule: cosine
  phases:
    - {train: head, epochs: 3}
    - {train: {gradual: 2}, epochs: 4, backbone_multiplier: 0.1}
    - {train: head, epochs: 3}
"""

# Trains, and kills itself at a given place.
_KILLED = """
import os, signal, sys
from pathlib import Path
from cnnkit.config import load_config
from cnnkit.progress import Report
from cnnkit.training import checkpoint, train

path, folder, place, epoch = sys.argv[1:]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
report = Report()
ended = 0
def epoch_done(row, **_):
    global ended
    ended = row["epoch"]
    if place == "epoch end" and ended == int(epoch):
        die()
def batch_done(*_):
    if place == "in an epoch" and ended == int(epoch):
        die()
report.epoch_done, report.batch_done = epoch_done, batch_done
saved = checkpoint.Checkpoint._save_models
def save_models(self):
    if place == "after the backup" and len(self._history.rows) >= int(epoch):
        die()
    saved(self)
checkpoint.Checkpoint._save_models = save_models
train(load_config(Path(path)), name="killed", runs_folder=Path(folder), report=report)
"""


@pytest.fixture(scope="module")
def folder(made_once):
    """Return a folder with images, two configs, and what they give in one go."""
    return made_once("resume", _train_in_one_go)


def _train_in_one_go(folder):
    write_tiny_images(folder / "images", images_per_class=12)
    (folder / "start.yaml").write_text(_PLAIN)
    cnnkit.train(
        folder / "start.yaml", runs_folder=folder / "runs", overrides=["training.epochs=2"]
    )
    for name, text in (("plain", _PLAIN), ("phases", _PHASES)):
        (folder / f"{name}.yaml").write_text(text)
        cnnkit.train(folder / f"{name}.yaml", runs_folder=folder / "runs")


def _weights(path):
    from cnnkit.model.loading import load_keras_model

    return load_keras_model(path).get_weights()


def _history(run):
    with run.history.open() as file:
        return [{**row, "seconds": None} for row in csv.DictReader(file)]


def _assert_same(run, whole):
    for path in ("weights/last.keras", "weights/best.keras"):
        pairs = zip(_weights(run.folder / path), _weights(whole.folder / path), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)
    assert _history(run) == _history(whole)
    assert run.tflite.read_bytes() == whole.tflite.read_bytes()
    assert run.info()["metrics"] == whole.info()["metrics"]
    assert run.info()["status"] == "finished"
    assert not run.backup.parent.exists()
    assert not list(run.last.parent.glob(".*"))


@pytest.mark.parametrize(
    ("config", "place", "epoch", "continues_after"),
    [
        pytest.param("plain", "epoch end", 3, 3, marks=pytest.mark.slow),
        ("phases", "after the backup", 3, 3),  # between two phases
        # at the end of all
        pytest.param("phases", "after the backup", 8, 10, marks=pytest.mark.slow),
    ],
)
def test_a_killed_training_is_resumed_to_the_same_weights(
    folder, tmp_path, config, place, epoch, continues_after
):
    arguments = [folder / f"{config}.yaml", tmp_path, place, str(epoch)]
    done = subprocess.run([sys.executable, "-c", _KILLED, *arguments], stderr=subprocess.PIPE)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    killed = find_run("killed", tmp_path)
    assert killed.info()["status"] == "interrupted"
    run = cnnkit.resume(runs_folder=tmp_path)
    assert run == killed
    _assert_same(run, find_run(config, folder / "runs"))
    assert run.info().get("resumed", [0]) == [continues_after]


def test_a_head_that_was_not_written_yet_is_trained_again_and_a_backbone_may_move(folder, tmp_path):
    from cnnkit.training import resume

    (tmp_path / "phases.yaml").write_text((folder / "phases.yaml").read_text())
    shutil.copytree(folder / "images", tmp_path / "images")
    start = tmp_path / "runs" / "start"
    shutil.copytree(folder / "runs" / "start", start)
    arguments = [tmp_path / "phases.yaml", tmp_path, "epoch end", "9"]  # in the second head
    subprocess.run([sys.executable, "-c", _KILLED, *arguments], stderr=subprocess.PIPE)
    killed = find_run("killed", tmp_path)
    start.rename(tmp_path / "moved")
    killed.config.write_text(killed.config.read_text().replace(str(start), str(tmp_path / "moved")))
    report = _Interrupted()
    _assert_same(resume(killed.folder, report=report), find_run("phases", folder / "runs"))
    assert (
        f"run: {killed.folder}, continues after epoch 7; 2 finished epochs are trained again"
        in (report.notes)
    )


class _Interrupted(Report):
    """Presses Ctrl-C in the second batch after some epochs."""

    def __init__(self, *epochs):
        self.epochs, self.ended, self.notes = list(epochs), 0, []

    def note(self, text):
        self.notes.append(text)

    def epoch_done(self, row, *, is_best):
        self.ended = row["epoch"]

    def batch_done(self, images_done, logs):
        if self.ended in self.epochs and images_done > 8:
            self.epochs.remove(self.ended)
            raise KeyboardInterrupt


def _interrupted(config, tmp_path, *epochs):
    """Return a run that was interrupted after these epochs, resumed in between, and its texts."""
    from cnnkit.training import resume, train

    report = _Interrupted(*epochs)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(load_config(config), name="cut", runs_folder=tmp_path, report=report)
    texts = [str(caught.value)]
    while report.epochs:
        with pytest.raises(KeyboardInterrupt) as caught:
            resume("cut", runs_folder=tmp_path, report=report)
        texts.append(str(caught.value))
    return find_run("cut", tmp_path), texts


def _assert_predicts_with_best_weights(run, images):
    """Compare what predict and the golden samples say with the model of best.keras."""
    from cnnkit.data.pixels import read_pixels
    from cnnkit.model.loading import load_keras_model
    from cnnkit.runtimes import load_predictor

    paths = [str(path) for path in sorted(images.glob("*/*.png"))]
    predictor = load_predictor(run.folder, run.folder.parent)
    pixels = np.stack([read_pixels(path, predictor.info.pixels) for path in paths])
    model = load_keras_model(run.best)
    answers = [answer.probabilities for answer in cnnkit.load_run(run.folder).predict(paths)]
    assert np.allclose(answers, model(pixels, training=False), atol=1e-5)
    golden = np.load(run.golden)
    outputs = model(golden["pixels"], training=False)
    assert np.allclose(golden["probabilities"], outputs, atol=1e-6)
    return np.array(answers)


@pytest.mark.parametrize(
    ("config", "epochs"),
    [pytest.param("plain", (2, 5), marks=pytest.mark.slow), ("phases", (1, 4, 9))],
)
def test_ctrl_c_again_and_again_changes_nothing(folder, tmp_path, config, epochs):
    run, texts = _interrupted(folder / f"{config}.yaml", tmp_path, *epochs)
    seconds = run.info()["seconds"]
    assert len(_history(run)) == epochs[-1]
    assert [text.splitlines()[0] for text in texts] == [
        f"Interrupted after epoch {epoch}." for epoch in epochs
    ]
    assert texts[-1].splitlines()[1:] == [
        f"The best weights so far are kept: {run.best}",
        f"They can be used now: cnnkit predict IMAGE --model {run.folder}",
        f"To continue: cnnkit train --resume {run.folder}",
    ]
    _assert_predicts_with_best_weights(run, folder / "images")
    started = run.info()["started"]
    cnnkit.resume(run.folder)
    _assert_same(run, find_run(config, folder / "runs"))
    assert run.info()["resumed"] == list(epochs)
    assert run.info()["started"] == started and run.info()["seconds"] > seconds


def test_better_weights_answer_after_a_second_interruption(cut, tmp_path):
    from cnnkit.training import resume

    before = _assert_predicts_with_best_weights(cut, tmp_path / "images")
    with pytest.raises(KeyboardInterrupt):
        resume(cut.folder, report=_Interrupted(6))
    losses = [float(row["val_loss"]) for row in _history(cut)]
    assert min(losses) < min(losses[:2])  # it has improved
    after = _assert_predicts_with_best_weights(cut, tmp_path / "images")
    assert np.abs(after - before).max() > 1e-3


def test_a_killed_resumption_leaves_no_model_of_earlier_weights(cut):
    code = _KILLED.replace('train(load_config(Path(path)), name="killed", ', "resume(path, ")
    code = code.replace("import checkpoint, train", "import checkpoint, resume")
    arguments = [cut.folder, cut.folder.parent, "epoch end", "6"]
    assert cut.tflite.exists() and cut.golden.exists()
    done = subprocess.run([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not cut.tflite.exists() and not cut.golden.exists()
    with pytest.warns(UserWarning, match=r"has no model.tflite, so its best weights are used"):
        model = cnnkit.load_run(cut.folder)
    assert model.predictor.path == cut.best


def test_a_second_ctrl_c_while_the_model_is_written_still_says_how_to_continue(cut, monkeypatch):
    from cnnkit.training import resume

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnkit.training.results.write_tflite", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        resume(cut.folder, report=_Interrupted(3))
    assert str(caught.value).splitlines()[2:] == [
        f"They can be used now: cnnkit predict IMAGE --model {cut.folder}",
        f"To continue: cnnkit train --resume {cut.folder}",
    ]
    assert not cut.tflite.exists()


def test_a_training_without_a_finished_epoch_starts_again(folder, tmp_path):
    run, texts = _interrupted(folder / "plain.yaml", tmp_path, 0)
    assert not run.backup.exists()
    assert texts == [
        "Interrupted before the first epoch ended: there are no weights to keep.\n"
        f"To start again: cnnkit train --resume {run.folder}"
    ]
    _assert_same(cnnkit.resume(runs_folder=tmp_path), find_run("plain", folder / "runs"))


def test_an_interrupt_is_held_back_once_and_never_lost():
    from cnnkit.training.interrupts import interrupts_held_back

    before = signal.getsignal(signal.SIGINT)
    seen = []
    with pytest.raises(KeyboardInterrupt), interrupts_held_back() as interrupt_if_asked:
        interrupt_if_asked()
        signal.raise_signal(signal.SIGINT)
        seen.append("held back")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupt_if_asked()
    assert seen == ["held back"]
    assert signal.getsignal(signal.SIGINT) is before


# --- what cannot be resumed


def test_a_finished_run_and_no_run_cannot_be_resumed(folder, tmp_path):
    with pytest.raises(UsageError, match="plain is finished: there is nothing to resume"):
        cnnkit.resume(folder / "runs" / "plain")
    with pytest.raises(UsageError, match="There is no run in .* that did not finish"):
        cnnkit.resume(runs_folder=folder / "runs")
    with pytest.raises(UsageError, match="is not a run folder"):
        cnnkit.resume("nowhere", runs_folder=tmp_path)


@pytest.fixture(scope="module")
def interrupted_once(folder, tmp_path_factory):
    """Return a run that was interrupted after its second epoch; tests must not change it."""
    return _interrupted(folder / "plain.yaml", tmp_path_factory.mktemp("cut"), 2)[0]


@pytest.fixture
def cut(interrupted_once, folder, tmp_path):
    """Return a copy of that run, on a copy of the images."""
    shutil.copytree(folder / "images", tmp_path / "images")
    run = Run(tmp_path / "cut")
    shutil.copytree(interrupted_once.folder, run.folder)
    text = run.config.read_text()
    assert str(folder / "images") in text
    run.config.write_text(text.replace(str(folder / "images"), str(tmp_path / "images")))
    return run


def test_other_images_are_refused(cut, tmp_path):
    red = tmp_path / "images" / "red"
    (red / "0.png").rename(tmp_path / "0.png")
    with pytest.raises(DataError, match=r"1 gone \(red/0.png\)"):
        cnnkit.resume(cut.folder)
    shutil.copyfile(red / "1.png", red / "0.png")
    with pytest.raises(DataError, match=r"with other content or in another split \(red/0.png"):
        cnnkit.resume(cut.folder)
    assert cut.info()["status"] == "interrupted" and cut.backup.exists()


def test_a_run_is_resumed_elsewhere_and_other_versions_are_reported(cut, folder):
    from cnnkit.training import resume

    info = cut.info()
    info["versions"]["keras"] = "3.0.0"
    (cut.folder / "run.json").write_text(json.dumps(info))
    report = _Interrupted()
    _assert_same(resume(cut.folder, report=report), find_run("plain", folder / "runs"))
    assert any("The run was started with keras 3.0.0" in note for note in report.notes)


def test_a_changed_config_is_refused(cut):
    cut.config.write_text(cut.config.read_text().replace("epochs: 7", "epochs: 9"))
    with pytest.raises(UsageError, match="has changed since .*: now epochs: 9, before epochs: 7"):
        cnnkit.resume(cut.folder)


def test_a_damaged_backup_is_reported(cut):
    content = bytearray(cut.backup.read_bytes())
    content[len(content) // 2] ^= 255
    cut.backup.write_bytes(content)
    with pytest.raises(CnnkitError, match=r"training.npz is damaged"):
        cnnkit.resume(cut.folder)
    cut.backup.write_bytes(content[:1000])
    with pytest.raises(CnnkitError, match=r"training.npz is damaged"):
        cnnkit.resume(cut.folder)


def test_weights_without_a_backup_are_not_trained_over(cut):
    cut.backup.unlink()
    before = cut.best.read_bytes()
    with pytest.raises(UsageError, match=r"has weights, but .*training.npz is missing"):
        cnnkit.resume(cut.folder)
    assert cut.best.read_bytes() == before
    assert len(_history(cut)) == 2


def test_two_processes_do_not_train_one_run(cut):
    with held(cut.lock), pytest.raises(UsageError, match="is being trained by another process"):
        cnnkit.resume(cut.folder)


# Holds a run as its training does, until it is killed.
_TRAINING = """
import sys, time
from pathlib import Path
from cnnkit.locks import held
from cnnkit.runs import Run

run = Run(Path(sys.argv[1]))
with held(run.lock), run.recording():
    print("training", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def in_training(cut):
    """Return a copy of `cut` that another process trains, newer than it, and that process."""
    run = Run(cut.folder.parent / "newer")
    shutil.copytree(cut.folder, run.folder)
    command = [sys.executable, "-c", _TRAINING, run.folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield run, process
        process.kill()


def test_without_a_name_the_newest_run_that_nobody_trains_is_resumed(cut, in_training):
    from cnnkit.training.resuming import run_to_resume

    run, process = in_training
    training = f"{run.folder} is being trained by process {process.pid}"
    notes = []
    assert run_to_resume(None, cut.folder.parent, notes.append) == cut
    assert notes == [f"Skipped {run.folder}: it is being trained by process {process.pid}."]
    shutil.rmtree(cut.folder)
    with pytest.raises(UsageError, match=f"No run in .* can be resumed: {training}. Wait until"):
        run_to_resume(None, cut.folder.parent, notes.append)
    with pytest.raises(UsageError, match=training):
        cnnkit.resume(run.folder)
    process.kill()
    process.wait()
    assert run_to_resume(None, cut.folder.parent, notes.append) == run


@pytest.mark.parametrize(
    ("name", "reason"),
    [("config.yaml", "before it had a config.yaml"), ("backup/training.npz", "npz is missing")],
)
def test_without_a_name_a_run_that_lacks_a_file_is_skipped(cut, name, reason):
    from cnnkit.training.resuming import run_to_resume

    broken = Run(cut.folder.parent / "broken")
    shutil.copytree(cut.folder, broken.folder)
    (broken.folder / name).unlink()
    broken.update(started="2999-01-01")
    notes = []
    assert run_to_resume(None, cut.folder.parent, notes.append) == cut
    assert notes[0].startswith(f"Skipped {broken.folder}: it ") and reason in notes[0]
    with pytest.raises(UsageError, match=f"{broken.folder} cannot be resumed: it .*{reason}"):
        run_to_resume(broken.folder, cut.folder.parent, notes.append)
    shutil.rmtree(cut.folder)
    with pytest.raises(UsageError, match="No run in .* can be resumed. Start a new one"):
        run_to_resume(None, cut.folder.parent, notes.append)


def test_the_command_line_resumes_a_run_and_takes_nothing_else(cut, tmp_path):
    def train(*words):
        command = ["train", "--runs-folder", str(tmp_path), "--resume", *words]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    wrong = train("cut", "--epochs", "3")
    assert wrong.exit_code == 2 and "it takes no CONFIG, --set, --epochs" in wrong.stderr
    done = train("--json")
    assert done.exit_code == 0, done.stderr
    assert "continues after epoch 2" in done.stderr
    assert json.loads(done.stdout)["resumed"] == [2]
