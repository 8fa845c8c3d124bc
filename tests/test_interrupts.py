"""What Ctrl-C and a killed process leave of a training."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from training_commands import history_of, weights_of

import cnnkit
from cnnkit.cli import main
from cnnkit.runs import find_run

# The run that the tests share, and those of other processes, have pictures.
pytestmark = pytest.mark.usefixtures("no_pictures")


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
    assert text.count("Stopping after this batch ... What was trained is kept.\r\n") == 1


@pytest.mark.slow
def test_sigterm_does_what_ctrl_c_does(tiny_config, tmp_path):
    process, run = _after_three_epochs(tiny_config, tmp_path)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert stderr.count("Stopping after this batch ... What was trained is kept.\n") == 1
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
    (tmp_path / "images").symlink_to(tiny_config.parent / "images")
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
    assert history_of(run)[2]["epoch"] == 3
    assert weights_of(run, "best") and weights_of(run, "last")
    with pytest.warns(UserWarning, match=r"has no model.tflite, so its best weights are used"):
        model = cnnkit.load_run(run.folder)
    assert model.predictor.path == run.best
    assert model.class_names == ("blue", "green", "red")


def test_the_progress_on_a_terminal_moves_and_keeps_one_line_per_epoch(ctrl_c_on_a_terminal):
    _, text, run = ctrl_c_on_a_terminal
    assert "0/24" in text and "left" in text
    assert text.count("train_loss") == len(history_of(run)) >= 3
