"""Run folders with missing or damaged files: each says which file, no traceback."""

from __future__ import annotations

import shutil

import pytest

import cnnkit
from cnnkit.errors import UsageError
from cnnkit.evaluation import evaluate_model
from cnnkit.export import export_run
from cnnkit.runs import Run, newest_run


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "tiny")
    return Run(tmp_path / "runs" / "tiny")


def _cut(path, length):
    path.write_bytes(path.read_bytes()[:length])


def test_a_damaged_run_json_is_named(run):
    _cut(run.folder / "run.json", 10)
    with pytest.raises(UsageError, match="run.json is damaged"):
        run.info()
    notes = []
    with pytest.raises(UsageError, match="There is no finished run"):
        newest_run(run.folder.parent, notes.append)
    assert notes[0].startswith(f"Skipped {run.folder}: its run.json is damaged: ")


def test_a_missing_split_is_named(run):
    run.split.unlink()
    with pytest.raises(UsageError, match=r"split.csv cannot be read: No such file"):
        evaluate_model(str(run.folder), run.folder.parent, note=lambda text: None)


def test_a_split_that_is_cut_off_is_refused_not_scored_in_part(run):
    _cut(run.split, run.split.stat().st_size // 2)
    with pytest.raises(UsageError, match="is not as the run wrote it"):
        evaluate_model(str(run.folder), run.folder.parent, split="train", note=lambda text: None)


def test_a_missing_golden_file_is_named(run):
    run.golden.unlink()
    with pytest.raises(
        UsageError, match="has no golden.npz: the file was removed after the training"
    ):
        export_run(run, ["tflite"])


def test_a_model_file_that_is_cut_off_or_garbled_is_named(run):
    export_run(run, ["onnx"])
    whole = run.tflite.read_bytes()
    run.tflite.write_bytes(b"\0" * 64 + whole[64:])
    onnx = run.export / "model.onnx"
    for path, length in ((run.best, 3000), (onnx, 500)):
        _cut(path, length)
    with pytest.raises(UsageError, match="best.keras cannot be loaded: it is not a complete"):
        cnnkit.load_run(run.best)
    for path in (run.tflite, onnx):
        with pytest.raises(UsageError, match=f"{path.name} cannot be loaded, it may be damaged"):
            cnnkit.load_run(path)
