"""An interrupted or killed training ends with the weights of one in one go."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from click.testing import CliRunner
from interrupted_runs import InterruptedReport, assert_same_run, history_of, interrupted_run

import cnnkit
from cnnkit.cli import main
from cnnkit.runs import find_run

pytestmark = pytest.mark.usefixtures("no_pictures")
# Trains, and kills itself at a given place.
_KILLED = """
import os, signal, sys
from pathlib import Path
from cnnkit.config import load_config
from cnnkit.progress import Report
from cnnkit.training import checkpoint
from cnnkit.training.run import train

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
def save_models(self, averages):
    if place == "after the backup" and len(self._history.rows) >= int(epoch):
        die()
    saved(self, averages)
checkpoint.Checkpoint._save_models = save_models
train(load_config(Path(path)), name="killed", runs_folder=Path(folder), report=report)
"""


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
    resume_start, tmp_path, config, place, epoch, continues_after
):
    arguments = [resume_start / f"{config}.yaml", tmp_path, place, str(epoch)]
    done = subprocess.run([sys.executable, "-c", _KILLED, *arguments], stderr=subprocess.PIPE)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    killed = find_run("killed", tmp_path)
    assert killed.info()["status"] == "interrupted"
    run = cnnkit.resume(runs_folder=tmp_path)
    assert run == killed
    assert_same_run(run, find_run(config, resume_start / "runs"))
    assert run.info().get("resumed", [0]) == [continues_after]


def test_a_head_that_was_not_written_yet_is_trained_again_and_a_backbone_may_move(
    resume_start, tmp_path
):
    from cnnkit.training.run import resume

    (tmp_path / "phases.yaml").write_text((resume_start / "phases.yaml").read_text())
    shutil.copytree(resume_start / "images", tmp_path / "images")
    start = tmp_path / "runs" / "start"
    shutil.copytree(resume_start / "runs" / "start", start)
    arguments = [tmp_path / "phases.yaml", tmp_path, "epoch end", "9"]  # in the second head
    subprocess.run([sys.executable, "-c", _KILLED, *arguments], stderr=subprocess.PIPE)
    killed = find_run("killed", tmp_path)
    start.rename(tmp_path / "moved")
    killed.config.write_text(killed.config.read_text().replace(str(start), str(tmp_path / "moved")))
    report = InterruptedReport()
    assert_same_run(resume(killed.folder, report=report), find_run("phases", resume_start / "runs"))
    assert (
        f"run: {killed.folder}, continues after epoch 7; 2 finished epochs are trained again"
        in (report.notes)
    )


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
    [
        pytest.param("plain", (2, 5), marks=pytest.mark.slow),
        ("averages", (2, 5)),
        ("phases", (1, 4, 9)),
    ],
)
def test_ctrl_c_again_and_again_changes_nothing(resume_start, tmp_path, config, epochs):
    run, texts = interrupted_run(resume_start / f"{config}.yaml", tmp_path, *epochs)
    seconds = run.info()["seconds"]
    assert len(history_of(run)) == epochs[-1]
    assert [text.splitlines()[0] for text in texts] == [
        f"Interrupted after epoch {epoch}." for epoch in epochs
    ]
    assert texts[-1].splitlines()[1:] == [
        f"The best weights so far are kept: {run.best}",
        f"They can be used now: cnnkit predict IMAGE --model {run.folder}",
        f"To continue: cnnkit train --resume {run.folder}",
    ]
    _assert_predicts_with_best_weights(run, resume_start / "images")
    started = run.info()["started"]
    cnnkit.resume(run.folder)
    assert_same_run(run, find_run(config, resume_start / "runs"))
    assert run.info()["resumed"] == list(epochs)
    assert run.info()["started"] == started and run.info()["seconds"] > seconds


def test_every_command_that_uses_an_interrupted_run_says_so_once(cut_run, resume_start):
    image = str(next((resume_start / "images").glob("*/*.png")))
    run = ["--model", str(cut_run.folder)]
    for words in (
        ["predict", image, *run],
        ["evaluate", *run],
        ["export", *run, "--format", "tflite"],
        ["features", image, *run],
    ):
        done = CliRunner().invoke(main, [*words, "--json"])
        assert done.exit_code == 0, done.stderr
        assert done.stderr.count("its training was interrupted after epoch 2.") == 1
        assert f"To continue it: cnnkit train --resume {cut_run.folder}\n" in done.stderr
        if words[0] in ("evaluate", "export"):
            assert json.loads(done.stdout)["run_status"] == "interrupted"


def test_better_weights_answer_after_a_second_interruption(cut_run, tmp_path):
    from cnnkit.training.run import resume

    before = _assert_predicts_with_best_weights(cut_run, tmp_path / "images")
    with pytest.raises(KeyboardInterrupt):
        resume(cut_run.folder, report=InterruptedReport(6))
    losses = [float(row["val_loss"]) for row in history_of(cut_run)]
    assert min(losses) < min(losses[:2])  # it has improved
    after = _assert_predicts_with_best_weights(cut_run, tmp_path / "images")
    assert np.abs(after - before).max() > 1e-3


def test_a_killed_resumption_leaves_no_model_of_earlier_weights(cut_run):
    code = _KILLED.replace('train(load_config(Path(path)), name="killed", ', "resume(path, ")
    code = code.replace("run import train", "run import resume")
    arguments = [cut_run.folder, cut_run.folder.parent, "epoch end", "6"]
    assert cut_run.tflite.exists() and cut_run.golden.exists()
    done = subprocess.run([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not cut_run.tflite.exists() and not cut_run.golden.exists()
    with pytest.warns(UserWarning, match=r"has no model.tflite, so its best weights are used"):
        model = cnnkit.load_run(cut_run.folder)
    assert model.predictor.path == cut_run.best


def test_a_second_ctrl_c_while_the_model_is_written_still_says_how_to_continue(
    cut_run, monkeypatch
):
    from cnnkit.training.run import resume

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnkit.training.results.write_tflite", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        resume(cut_run.folder, report=InterruptedReport(3))
    assert str(caught.value).splitlines()[2:] == [
        f"They can be used now: cnnkit predict IMAGE --model {cut_run.folder}",
        f"To continue: cnnkit train --resume {cut_run.folder}",
    ]
    assert not cut_run.tflite.exists()


def test_a_training_without_a_finished_epoch_starts_again(resume_start, tmp_path):
    run, texts = interrupted_run(resume_start / "plain.yaml", tmp_path, 0)
    assert not run.backup.exists()
    assert texts == [
        "Interrupted before the first epoch ended: there are no weights to keep.\n"
        f"To start again: cnnkit train --resume {run.folder}"
    ]
    assert_same_run(cnnkit.resume(runs_folder=tmp_path), find_run("plain", resume_start / "runs"))


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no such masks")
def test_an_interrupt_is_answered_while_a_call_into_c_is_running():
    """Python's own handlers run only after such a call; a batch of TensorFlow is one."""
    import ctypes

    from cnnkit.training.interrupts import interrupts_held_back

    reading, writing = os.pipe()
    answer = ctypes.create_string_buffer(1)
    with (
        pytest.raises(KeyboardInterrupt),
        interrupts_held_back(lambda: os.write(writing, b"!")),
    ):
        # Another thread gets the signal, so that the call below is not cut short by it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        late = threading.Timer(60, os.write, (writing, b"?"))
        late.start()
        try:
            os.kill(os.getpid(), signal.SIGINT)
            ctypes.CDLL(None).read(reading, answer, 1)
        finally:
            late.cancel()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert answer.value == b"!"
    assert signal.set_wakeup_fd(-1) == -1
    os.close(reading)
    os.close(writing)


def test_a_second_interrupt_waits_until_the_weights_are_saved(resume_start, tmp_path, monkeypatch):
    from cnnkit.training import checkpoint

    close = checkpoint.Checkpoint.close

    def close_and_press(self):
        signal.raise_signal(signal.SIGINT)
        close(self)

    monkeypatch.setattr(checkpoint.Checkpoint, "close", close_and_press)
    run, _ = interrupted_run(resume_start / "plain.yaml", tmp_path, 2)
    assert run.best.exists() and run.last.exists() and run.backup.exists()
    monkeypatch.undo()
    cnnkit.resume(run.folder)
    assert_same_run(run, find_run("plain", resume_start / "runs"))


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
