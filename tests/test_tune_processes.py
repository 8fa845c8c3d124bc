"""Several processes on one study, one of which is killed; and a command that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from studies import DIGITS, tune_digits, write_config
from whole_command import run as command

from cnnkit.runs.study_runs import StudyRuns

pytestmark = pytest.mark.slow


def _started(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "cnnkit", "tune", *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for_an_epoch(runs):
    """Wait until a trial has a finished epoch, and return it."""
    until = time.time() + 300
    while time.time() < until:
        for number in range(9):
            run = runs.trial(number)
            if run.history.exists() and run.info()["status"] == "running" and run.num_epochs():
                return run
        time.sleep(0.02)
    raise AssertionError("no trial has begun")


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path, DIGITS.replace("epochs: 2", "epochs: 30"))


def test_one_of_two_processes_is_killed_and_the_other_goes_on_with_its_trial(config, tmp_path):
    words = [config, "--trials", 5, "--seeds", 0, "--workers", 2, "--no-pruning", "--json"]
    process = _started(tmp_path, *words)
    run = _wait_for_an_epoch(StudyRuns(tmp_path / "runs" / "digits-tune"))
    os.kill(run.info()["pid"], signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr
    assert "A process of the study was killed by signal 9 (SIGKILL)." in stderr
    trials = json.loads(stdout)["trials"]
    assert [trial["trial"] for trial in trials] == list(range(5))
    assert {trial["state"] for trial in trials} == {"complete"}
    killed = json.loads((run.folder / "run.json").read_text())
    assert killed["status"] == "finished"
    assert killed["epochs"] == 30
    assert run.name in [f"trial{trial['trial']:03}" for trial in trials]


def test_a_long_study_goes_on_in_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnkit.tuning.search_loop.TRIALS_PER_PROCESS", 1)
    result = tune_digits(tmp_path, trials=3, seeds=0)
    pids = [result.study.runs.trial(number).info()["pid"] for number in range(3)]
    assert pids[0] == os.getpid() != pids[1]
    assert pids[1] == pids[2]  # there, the limit is the real one
    assert [trial.number for trial in result.study.complete] == [0, 1, 2]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_goes_on_where_it_was(number, config, tmp_path):
    process = _started(tmp_path, config, "--trials", 3, "--seeds", 0, "--sampler", "random")
    runs = StudyRuns(tmp_path / "runs" / "digits-tune")
    run = _wait_for_an_epoch(runs)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=300)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert stderr.splitlines()[-1] == "To continue: cnnkit tune --resume runs/digits-tune"
    done = command("tune", "--resume", runs.folder, "--json")
    assert done.exit_code == 0, done.stderr
    trials = json.loads(done.stdout)["trials"]
    assert [trial["trial"] for trial in trials] == [0, 1, 2]
    assert [trial["state"] for trial in trials] == ["complete"] * 3
    assert run.num_epochs() == 30
    assert sorted(path.name for path in runs.folder.glob("trial*/")) == [
        "trial000", "trial001", "trial002",
    ]  # fmt: skip


def test_several_processes_stop_together(config, tmp_path):
    process = _started(tmp_path, config, "--trials", 9, "--seeds", 0, "--workers", 2)
    _wait_for_an_epoch(StudyRuns(tmp_path / "runs" / "digits-tune"))
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "To continue: cnnkit tune --resume runs/digits-tune" in stderr
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in left.splitlines() if str(tmp_path) in line]
