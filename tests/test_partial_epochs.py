"""A training that stops in the middle of an epoch goes on from there, to the same weights."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest
from interrupted_runs import assert_same_run, history_of

import cnnkit
from cnnkit.config import load_config
from cnnkit.errors import CnnkitError
from cnnkit.progress import Report
from cnnkit.runs import find_run
from cnnkit.training import step
from cnnkit.training.checkpoint import Backup
from cnnkit.training.run import resume, train

pytestmark = pytest.mark.usefixtures("no_pictures")


class _PressInStep(Report):
    """Sends SIGTERM or SIGINT to this process in a step, given as (finished epochs, images)."""

    def __init__(self, *places):
        self.places, self.ended, self.notes = list(places), 0, []

    def note(self, text):
        self.notes.append(text)

    def epoch_done(self, row, *, is_best):
        self.ended = row["epoch"]

    def batch_done(self, images_done, logs):
        if self.places and self.places[0] == (self.ended, images_done):
            self.places.pop(0)
            signal.raise_signal(signal.SIGINT)


def _cut(config, folder, report, *overrides):
    """Train with interruptions until the report has no more of them; return run and texts."""
    texts = []
    while report.places:
        with pytest.raises(KeyboardInterrupt) as caught:
            if texts:
                resume("cut", runs_folder=folder, report=report)
            else:
                settings = load_config(config, overrides)
                train(settings, name="cut", runs_folder=folder, report=report)
        texts.append(str(caught.value).splitlines()[0])
    return find_run("cut", folder), texts


@pytest.mark.parametrize(
    ("config", "places", "texts"),
    [
        ("plain", [(0, 16), (3, 8)], ["in epoch 1 after 16 of 24", "in epoch 4 after 8 of 24"]),
        pytest.param(
            "averages",
            [(1, 24), (4, 16)],
            ["in the validation of epoch 2", "in epoch 5 after 16 of 24"],
            marks=pytest.mark.slow,
        ),
        # In the first epoch of a phase, and in a head whose finished epochs are not saved yet.
        ("phases", [(3, 8), (8, 16)], ["in epoch 4 after 8 of 24", "in epoch 9 after 16 of 24"]),
    ],
)
def test_interruptions_in_an_epoch_change_nothing(resume_start, tmp_path, config, places, texts):
    report = _PressInStep(*places)
    run, found = _cut(resume_start / f"{config}.yaml", tmp_path, report)
    assert all(text in line for text, line in zip(texts, found, strict=True)), found
    last = len(history_of(run))
    assert last == places[-1][0]
    assert run.info()["stopped"] == found[-1].removeprefix("Interrupted ").rstrip(".")
    assert len(Backup.read(run.backup).rows) == last
    cnnkit.resume(run.folder)
    assert_same_run(run, find_run(config, resume_start / "runs"))
    assert "stopped" not in run.info()
    assert run.info()["resumed"] == [place[0] for place in places]


def test_without_a_finished_epoch_the_text_says_that_there_is_no_model(resume_start, tmp_path):
    run, texts = _cut(resume_start / "plain.yaml", tmp_path, _PressInStep((0, 8)))
    assert texts == [
        "Interrupted in epoch 1 after 8 of 24 images. What was trained is kept, but no epoch has "
        "ended, so there is no model yet."
    ]
    assert not run.best.exists() and run.backup.exists()


@pytest.mark.parametrize("times", [1, 2])
def test_an_interruption_in_the_validation_of_averages(resume_start, tmp_path, monkeypatch, times):
    """The first pass validates the weights, the second one their averages."""
    evaluate, calls = step._evaluate, []

    def pressing(*arguments):
        calls.append(1)
        if len(calls) == 2 + times:  # in the second epoch
            signal.raise_signal(signal.SIGINT)
        return evaluate(*arguments)

    monkeypatch.setattr(step, "_evaluate", pressing)
    with pytest.raises(KeyboardInterrupt, match="Interrupted in the validation of epoch 2"):
        train(load_config(resume_start / "averages.yaml"), name="cut", runs_folder=tmp_path)
    monkeypatch.undo()
    cnnkit.resume("cut", runs_folder=tmp_path)
    assert_same_run(find_run("cut", tmp_path), find_run("averages", resume_start / "runs"))


# Kills itself in a step of an epoch that is saved after every step.
_KILLED = """
import os, signal, sys
from pathlib import Path
from cnnkit.config import load_config
from cnnkit.progress import Report
from cnnkit.training.run import train

path, folder = sys.argv[1:]
class Killing(Report):
    ended = 0
    def epoch_done(self, row, *, is_best):
        self.ended = row["epoch"]
    def batch_done(self, images_done, logs):
        if self.ended == 5 and images_done == 24:
            os.kill(os.getpid(), signal.SIGKILL)
config = load_config(Path(path), ["training.checkpoint_minutes=1e-9"])
train(config, name="killed", runs_folder=Path(folder), report=Killing())
"""


def test_a_killed_training_goes_on_after_the_last_checkpoint(resume_start, tmp_path):
    arguments = [resume_start / "phases.yaml", tmp_path]
    done = subprocess.run([sys.executable, "-c", _KILLED, *arguments], stderr=subprocess.PIPE)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    report = _PressInStep()
    run = resume("killed", runs_folder=tmp_path, report=report)
    assert f"run: {run.folder}, continues in epoch 6 after 16 of 24 images" in report.notes
    assert_same_run(run, find_run("phases", resume_start / "runs"))


def test_another_batch_size_goes_on_after_as_many_images(resume_start, tmp_path):
    run, _ = _cut(resume_start / "plain.yaml", tmp_path, _PressInStep((1, 16)))
    report = _PressInStep()
    resume(
        run.folder,
        overrides=["data.batch_size=4"],
        allow_changed=["data.batch_size"],
        report=report,
    )
    assert f"run: {run.folder}, continues in epoch 2 after 16 of 24 images" in report.notes
    assert len(history_of(run)) == 7


def test_weights_that_are_no_numbers_are_never_saved(resume_start, tmp_path):
    """The loss of a step is computed before its weights change, so the last step hides them."""

    class Spoiling(_PressInStep):
        def batch_done(self, images_done, logs):
            if self.ended == 2 and images_done == 24:
                model = self.model
                model.trainable_variables[0].assign(model.trainable_variables[0] * np.nan)

    report = Spoiling()
    fit = step._Epoch.fit

    def kept_fit(self):
        report.model = self._model
        return fit(self)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(CnnkitError) as caught:
        patch.setattr(step._Epoch, "fit", kept_fit)
        settings = load_config(resume_start / "plain.yaml", ["training.checkpoint_minutes=1e-9"])
        train(settings, name="nan", runs_folder=tmp_path, report=report)
    assert "The weights became NaN or infinite in epoch 3 at step 3" in str(caught.value)
    run = find_run("nan", tmp_path)
    assert len(history_of(run)) == 2
    backup = Backup.read(run.backup)
    assert backup.partial.images == 16
    assert all(np.isfinite(value).all() for value in [*backup.model, *backup.optimizer])
    cnnkit.resume(run.folder, overrides=["training.checkpoint_minutes=10"])
    assert_same_run(run, find_run("plain", resume_start / "runs"))
