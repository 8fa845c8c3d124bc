"""Run folders with missing or damaged files: each says which file, no traceback."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import cnnkit
from cnnkit.errors import UsageError
from cnnkit.evaluation.evaluate_model import evaluate_model
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


@pytest.mark.parametrize(
    ("key", "value"),
    [("data", []), ("versions", "2.21"), ("seconds", "5"), ("resumed", 3), ("host", 1), ("pid", 0)],
)
def test_an_odd_value_in_run_json_is_named(run, key, value):
    path = run.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(UsageError, match=f"run.json is damaged: its '{key}' is "):
        run.info()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blue\n\nred\n", "classes.txt is damaged: line 2 is empty"),
        ("blue\nred\nred\n", "classes.txt is damaged: red is there twice"),
        ("blue\nred\n", "classes.txt has 2 classes, but .*best.keras has 3 outputs"),
    ],
)
def test_damaged_class_names_are_refused(run, text, message):
    run.classes.write_text(text)
    with pytest.raises(UsageError, match=message):
        cnnkit.load_run(run.best)


def test_the_class_names_of_another_run_are_refused(run):
    run.classes.write_text("one\nthree\ntwo\n")
    with pytest.raises(UsageError, match=r"has classes that .*best.keras lacks: blue, green, red"):
        evaluate_model(str(run.best), run.folder.parent, note=lambda text: None)


@pytest.mark.parametrize("text", ["x" * 140_000, "path,label\na,blue\n", "a,b,c\n1,2,3\n", ""])
def test_a_split_of_another_shape_is_refused(run, text):
    run.split.write_text(text)
    with pytest.raises(UsageError, match=r"split.csv is (damaged|not as the run wrote it)"):
        evaluate_model(str(run.folder), run.folder.parent, note=lambda text: None)


def test_damaged_class_names_inside_a_model_file_are_named(run):
    content = run.tflite.read_bytes()
    run.tflite.write_bytes(content.replace(b'"class_names"', b'"class_games"'))
    with pytest.raises(UsageError, match="model.tflite has no class names and pixel settings"):
        cnnkit.load_run(run.tflite)


def test_damaged_stored_samples_are_named(run):
    arrays = dict(np.load(run.golden))
    np.savez(run.golden, **arrays)
    content = run.golden.read_bytes()
    header = content.index(b"{'descr'")
    run.golden.write_bytes(content[:header] + b"{'descr\n(" + content[header + 9 :])
    with pytest.raises(UsageError, match="golden.npz is damaged"):
        export_run(run, ["tflite"])


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
