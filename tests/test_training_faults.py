"""Faults that really happen to a training: its message, exit code, run.json, and what is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import write_tiny_images
from interrupted_runs import weights_of

from cnnkit.cli import main
from cnnkit.progress import LineReport
from cnnkit.runs import Run
from cnnkit.training.checkpoint import Backup

pytestmark = pytest.mark.usefixtures("no_pictures")
_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
model: {layers: [conv: {filters: 4, kernel_size: 3}, flatten, dense: 64]}
training: {epochs: 4, optimizer: {adam: {learning_rate: 0.01}}}
"""


@pytest.fixture
def config(tmp_path):
    write_tiny_images(tmp_path / "images", images_per_class=12)
    path = tmp_path / "c.yaml"
    path.write_text(_CONFIG)
    return path


@pytest.fixture
def after_epoch(monkeypatch):
    """Return a function that lets something happen after an epoch."""
    epoch_done = LineReport.epoch_done
    events = {}

    def epoch_done_and_event(self, row, *, is_best):
        epoch_done(self, row, is_best=is_best)
        if event := events.pop(row["epoch"], None):
            event()

    monkeypatch.setattr(LineReport, "epoch_done", epoch_done_and_event)
    return events.__setitem__


def _train(config, *words, runs=None):
    runs = runs or config.parent / "runs"
    words = ["train", str(config), "--runs-folder", str(runs), *words]
    return CliRunner().invoke(main, words, catch_exceptions=False), Run(runs / "c")


def _resume(run, *words):
    words = ["train", "--resume", str(run.folder), *words]
    return CliRunner().invoke(main, words, catch_exceptions=False)


def _assert_failed(done, run, *, epochs, cause, exit_code=1):
    """Compare message, exit code and run.json with what the documentation promises."""
    assert done.exit_code == exit_code, done.output
    assert "Traceback" not in done.stderr
    *_, sentence, kept, to_do = done.stderr.splitlines()
    assert sentence.startswith(cause)
    assert kept == f"The best weights so far are kept: {run.best}"
    assert to_do.startswith("To continue: ")
    info = json.loads((run.folder / "run.json").read_text())
    assert info["status"] == "failed" and "\n" not in info["error"]
    assert len(Backup.read(run.backup).rows) == epochs
    assert all(np.isfinite(value).all() for value in weights_of(run.best))
    assert not list(run.folder.rglob(".*.*"))  # nothing half written


def _training_image(run, folder):
    row = next(row for row in run.read_split() if row["split"] == "train")
    return folder / "images" / row["path"]


@pytest.mark.parametrize("change", ["deleted", "replaced", "cut off"])
def test_an_image_that_changes_while_it_is_decoded_in_every_epoch(config, after_epoch, change):
    run = Run(config.parent / "runs" / "c")
    content = {}

    def happens():
        path = _training_image(run, config.parent)
        content[path] = path.read_bytes()
        if change == "deleted":
            path.unlink()
        else:
            other = next(each for each in path.parent.iterdir() if each != path).read_bytes()
            path.write_bytes(other if change == "replaced" else content[path][:100])

    after_epoch(2, happens)
    done, run = _train(config, "--set", "data.cache=off")
    (path,) = content
    causes = {"deleted": "can no longer be read: there is no such file."}
    cause = causes.get(change, "has changed since it was first read.")
    _assert_failed(done, run, epochs=2, cause=f"{path} {cause}")
    assert _resume(run).exit_code == 1
    path.write_bytes(content[path])
    done = _resume(run)
    assert done.exit_code == 0, done.stderr
    assert "continues after epoch 2" in done.stderr


@pytest.mark.parametrize("cache", ["disk", "memory"])
def test_with_cached_pixels_a_deleted_image_is_not_missed(config, after_epoch, cache):
    run = Run(config.parent / "runs" / "c")
    after_epoch(2, lambda: _training_image(run, config.parent).unlink())
    done, run = _train(config, "--set", f"data.cache={cache}")
    assert done.exit_code == 0, done.stderr
    assert run.info()["status"] == "finished"


def test_a_cut_off_pixel_cache_is_made_again(config, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    _, run = _train(config, "--epochs", "1")
    (pixels,) = (tmp_path / "cache").rglob("pixels.npy")
    os.truncate(pixels, pixels.stat().st_size // 2)
    done, _ = _train(config, "--epochs", "1", "--name", "again")
    assert done.exit_code == 0, done.stderr
    assert "are damaged" in done.stderr and "are removed." in done.stderr
    again = weights_of(Run(run.folder.parent / "again").best)
    assert all(np.array_equal(*pair) for pair in zip(weights_of(run.best), again, strict=True))


def test_a_pixel_cache_that_is_cut_off_during_the_training(
    config, monkeypatch, tmp_path, after_epoch
):
    """Reading memory that is mapped from a file that has become shorter would end the process."""
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    after_epoch(2, lambda: [os.truncate(p, 100) for p in (tmp_path / "cache").rglob("pixels.npy")])
    done, run = _train(config)
    assert done.exit_code == 0, done.stderr
    assert "were cut off by another program; from now on the images are decoded" in done.stderr
    done, whole = _train(config, runs=tmp_path / "whole")
    pairs = zip(weights_of(run.best), weights_of(whole.best), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_a_loss_that_becomes_nan_keeps_the_last_good_weights(config):
    rate = "training.optimizer.adam.learning_rate"
    _, run = _train(config, "--epochs", "2")
    absurd = ["--epochs", "4", "--set", f"{rate}=1e30"]
    done = _resume(run, *absurd, "--allow-changed", "training")
    _assert_failed(done, run, epochs=2, cause="The loss became NaN or infinite in epoch 3 at step ")
    *_, sentence, _, to_do = done.stderr.splitlines()
    assert "Lower the learning_rate of adam, or add clipnorm: 1.0 to its arguments." in sentence
    assert to_do.endswith(f"cnnkit train --resume {run.folder} --allow-changed training")
    mended = _resume(run, "--set", f"{rate}=0.001", "--allow-changed", "training")
    assert mended.exit_code == 0, mended.stderr


@contextmanager
def _small_disk(folder, kilobytes):
    """Mount a disk of that size at a folder; skip the test if that is not allowed."""
    folder.mkdir()
    size = f"size={kilobytes}k"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs the rights of the administrator")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    with _small_disk(tmp_path / "disk", 20_000) as folder:
        yield folder


def _fill(folder):
    """Fill a disk, and return the file that does."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_disk_that_becomes_full(config, disk, after_epoch):
    after_epoch(2, lambda: _fill(disk))
    done, run = _train(config, runs=disk / "runs")
    # run.json cannot be written any more, but its process is gone.
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    *_, cause, kept, to_do = done.stderr.splitlines()
    assert cause.startswith(str(run.folder)) and cause.endswith("No space left on device")
    assert kept == f"The best weights so far are kept: {run.best}"
    assert to_do == f"To continue: cnnkit train --resume {run.folder}"
    assert all(np.isfinite(value).all() for value in weights_of(run.best))
    (disk / "filler").unlink()
    done = _resume(run)
    assert done.exit_code == 0, done.stderr
    assert "continues after epoch 2" in done.stderr


def test_a_disk_that_is_full_when_the_results_are_written(config, disk, after_epoch):
    def fill_most():
        with _fill(disk).open("r+b") as file:
            file.truncate(os.path.getsize(disk / "filler") - 100_000)

    after_epoch(4, fill_most)
    done, run = _train(config, runs=disk / "runs")
    assert done.exit_code == 1
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
    (disk / "filler").unlink()
    assert _resume(run).exit_code == 0


def test_a_file_limit_of_the_shell_is_like_a_full_disk(config):
    """`ulimit -f` works for everybody, also in containers that allow no mounting."""
    command = f"ulimit -f 100; exec {sys.executable} -m cnnkit train c.yaml"
    done = subprocess.run(
        ["bash", "-c", command], cwd=config.parent, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert "backup/training.npz: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert "No epoch has ended, so there are no weights to keep. To start again" in done.stderr
    assert Run(config.parent / "runs" / "c").info()["status"] == "failed"


@contextmanager
def _read_only(folder):
    """Make a folder read-only, also for root."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_run_folder_that_becomes_read_only(config, disk, after_epoch):
    with ExitStack() as stack:
        runs = disk / "runs"
        after_epoch(2, lambda: stack.enter_context(_read_only(runs / "c")))
        done, run = _train(config, runs=runs)
        assert done.exit_code == 1
        *_, cause, kept, _ = done.stderr.splitlines()
        assert cause.startswith(str(run.folder)) and cause.endswith("Read-only file system")
        assert kept == f"The best weights so far are kept: {run.best}"
        resumed = _resume(run)
        assert resumed.exit_code == 1
        assert "Read-only file system" in resumed.stderr and "Traceback" not in resumed.stderr
    done = _resume(run)
    assert done.exit_code == 0, done.stderr


def test_runs_that_cannot_be_written_at_all_are_refused_before_an_image_is_read(config, disk):
    (disk / "runs").mkdir()
    with _read_only(disk / "runs"):
        done, run = _train(config, runs=disk / "runs")
    assert done.exit_code == 2
    assert "Nothing can be written into" in done.stderr
    assert "pixels:" not in done.stderr
