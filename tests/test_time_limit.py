"""`training.max_minutes`: a training ends in time, and can go on later to the same weights."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from interrupted_runs import assert_same_run, history_of

import cnnkit
from cnnkit.config import load_config
from cnnkit.errors import CnnkitError
from cnnkit.progress import Report
from cnnkit.runs import find_run
from cnnkit.training import time_limit
from cnnkit.training.run import train

pytestmark = pytest.mark.usefixtures("no_pictures")


class _Clock(Report):
    """Lets an hour pass after some epochs, at their end or in the second batch after it."""

    def __init__(self, monkeypatch, *, epoch, in_the_next):
        self.now, self.ended, self.notes = 0.0, 0, []
        self.epoch, self.in_the_next = epoch, in_the_next
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(time_limit, "time", clock)

    def note(self, text):
        self.notes.append(text)

    def epoch_done(self, row, *, is_best):
        self.ended = row["epoch"]
        if self.ended == self.epoch and not self.in_the_next:
            self.now += 3600

    def batch_done(self, images_done, logs):
        if self.ended == self.epoch and self.in_the_next and images_done > 8:
            self.now += 3600


@pytest.mark.parametrize(
    ("config", "epoch", "in_the_next", "text"),
    [
        ("plain", 2, False, "Stopped after epoch 2: another one would not end within "),
        ("phases", 4, True, "Stopped in epoch 5 after 16 of 24 images, because of "),
    ],
)
def test_it_stops_in_time_and_goes_on_to_the_same_weights(
    resume_start, tmp_path, monkeypatch, config, epoch, in_the_next, text
):
    clock = _Clock(monkeypatch, epoch=epoch, in_the_next=in_the_next)
    settings = load_config(resume_start / f"{config}.yaml", ["training.max_minutes=30"])
    run = train(settings, name="limited", runs_folder=tmp_path, report=clock)
    assert len(history_of(run)) == epoch
    assert run.info()["status"] == "finished" and run.info()["stopped_by"] == "max_minutes"
    assert run.info()["metrics"]["test"]["accuracy"] >= 0
    assert run.tflite.exists()
    assert any(note.startswith(f"{text}training.max_minutes (30).") for note in clock.notes)
    assert ("stopped" in run.info()) == in_the_next
    clock.epoch = None
    assert cnnkit.resume(run.folder) == run
    assert_same_run(run, find_run(config, resume_start / "runs"))
    assert "stopped_by" not in run.info()


def test_a_last_epoch_that_would_end_too_late_is_not_begun(monkeypatch):
    monkeypatch.setattr(time_limit, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    clock = [100.0]
    limit = time_limit.TimeLimit(2)
    clock[0] = 190.0
    assert limit.allows(30) and not limit.allows(31)
    clock[0] = 221.0
    assert not limit.allows(0)
    assert time_limit.TimeLimit(None).allows(1e12)


def test_a_time_in_which_no_epoch_ends_still_leads_to_the_same_weights(resume_start, tmp_path):
    """Each resume goes on by one step: jobs may be shorter than an epoch."""
    settings = load_config(resume_start / "plain.yaml", ["training.max_minutes=1e-9"])
    with pytest.raises(CnnkitError, match=r"No epoch ended within training.max_minutes \(1e-09\)"):
        train(settings, name="short", runs_folder=tmp_path, report=Report())
    run = find_run("short", tmp_path)
    assert run.info()["status"] == "failed"
    assert run.info()["stopped"] == "in epoch 1 after 8 of 24 images"
    with pytest.raises(CnnkitError, match="the training stopped in epoch 1 after 16 of 24 images"):
        cnnkit.resume(run.folder)
    cnnkit.resume(run.folder, overrides=["training.max_minutes=null"])
    assert_same_run(run, find_run("plain", resume_start / "runs"))
