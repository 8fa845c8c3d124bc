"""`cnnkit benchmark`: models in processes of their own, with the answers of `evaluate`."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from foreign_models import keras_model, labels_file, picture, write_onnx, write_tflite
from PIL import Image

from cnnkit.benchmark.measurement import Job, measure, peak_megabytes
from cnnkit.cli import main
from cnnkit.data.file_bytes import LocalFile
from cnnkit.export import export_run
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.runs import Run
from cnnkit.text import shown
from cnnkit.usable_cores import usable_cores

_FAST = ("--seconds", "0.02", "--batch-sizes", "1,4")


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    """A copy of a run with a dynamic LiteRT file, and one that is damaged."""
    folder = tmp_path_factory.mktemp("benchmark") / "tiny"
    shutil.copytree(trained_run.folder, folder)
    copy = Run(folder)
    export_run(copy, ["tflite-dynamic"], allow_drop=100)
    shutil.copyfile(copy.tflite, copy.export / "model.tflite")  # the same bytes: not measured twice
    (copy.export / "model_int8.tflite").write_bytes(b"damaged")
    return copy


def test_all_files_of_a_run_are_measured_beside_its_weights(exported, tmp_path):
    picture_path = tmp_path / "times.png"
    words = (*_FAST, "--threads", "1", "--json", "-o", picture_path)
    done = run("benchmark", exported.folder, *words)
    assert done.exit_code == 1  # one file is damaged, and the others are measured all the same
    assert "tiny/export/model_int8.tflite" in done.stderr
    found = json.loads(done.stdout)
    rows = {row["model"]: row for row in found["models"]}
    assert list(rows) == [
        *("tiny/weights/best.keras", "tiny/model.tflite", "tiny/export/model_dynamic.tflite"),
        "tiny/export/model_int8.tflite",
    ]
    scores = run("evaluate", exported.folder, "--json", "-o", tmp_path / "scores")
    accuracy = json.loads(scores.stdout)["accuracy"]
    damaged = rows.pop("tiny/export/model_int8.tflite")
    assert "accuracy" not in damaged and "model_int8.tflite" in damaged["error"]
    for row in rows.values():
        assert row["accuracy"] == pytest.approx(accuracy) and row["agreement"] == 1.0
        assert [each["batch_size"] for each in row["timings"]] == [1, 4]
        for timing in row["timings"]:
            assert 0 < timing["p50_ms"] <= timing["p95_ms"] <= timing["p99_ms"]
            assert timing["calls"] >= 5 and timing["images_per_second"] > 0
        assert row["load_seconds"] > 0 and row["bytes"] > 0
    memory = {name: row["peak_megabytes"] for name, row in rows.items()}
    # TensorFlow alone takes hundreds of megabytes, and the process before had loaded it.
    assert memory["tiny/weights/best.keras"] > 3 * memory["tiny/model.tflite"]
    with Image.open(picture_path) as drawn:
        assert drawn.size[0] > 600


def test_the_table_has_a_line_per_number_of_cores_and_batch_size(exported):
    done = run("benchmark", exported.tflite, *_FAST)
    assert done.exit_code == 0, done.stderr
    header, *lines, last = done.stdout.splitlines()
    assert header.split()[:3] == ["model", "size", "accuracy"]
    assert len(lines) == 2 * len({1, usable_cores()})
    assert last.startswith("accuracy and agreement with the original on")


def test_foreign_files_are_compared_with_the_first_of_them(tmp_path):
    """Red and green pictures; the second model was told a scaling with which all is one class."""
    first = write_tflite(tmp_path / "a.tflite", keras_model())
    second = write_onnx(tmp_path / "b.onnx")
    for name, colour in (("red", (200, 90, 40)), ("green", (20, 250, 60)), ("blue", (0, 0, 99))):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "a.png").write_bytes(picture(colour))
    words = ("--labels", labels_file(tmp_path), "--scaling", "tf", "--threads", "1", "--json")
    done = run("benchmark", first, second, *_FAST, *words, "--data", tmp_path / "images")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)["models"]
    assert [(row["accuracy"], row["agreement"]) for row in rows] == [(1.0, 1.0), (1.0, 1.0)]
    done = run("benchmark", first, second, *_FAST, *words)
    assert "only their speed is measured" in done.stderr
    assert json.loads(done.stdout)["models"][0]["accuracy"] is None
    (tmp_path / "images" / "red").rename(tmp_path / "images" / "crimson")
    done = run("benchmark", first, *_FAST, *words, "--data", tmp_path / "images")
    assert done.exit_code == 2
    assert f"images of crimson, and {shown(str(first))} has no such class" in done.stderr


def test_a_sample_of_images_is_announced(exported):
    done = run("benchmark", exported.tflite, *_FAST, "--threads", "1", "--images", "2", "--json")
    assert "2 of " in done.stderr and "chosen by chance" in done.stderr
    assert json.loads(done.stdout)["images"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--threads", "0"), "whole numbers of at least 1"),
        (("--batch-sizes", "1,x"), "whole numbers of at least 1"),
        (("--threads", "4096"), "this process may use"),
        (("-o", "times.gif"), "must end in"),
    ],
)
def test_wrong_options_are_refused(exported, words, message):
    done = run("benchmark", exported.folder, *words)
    assert done.exit_code == 2 and message in done.stderr


def test_a_measurement_uses_the_cores_that_it_may_use(tmp_path):
    """Called in this process: the limit holds for the threads that it starts."""
    cores = os.sched_getaffinity(0)
    path = write_tflite(tmp_path / "a.tflite", keras_model())
    (tmp_path / "a.png").write_bytes(picture())
    files = [LocalFile(str(tmp_path / "a.png"))]
    how = HowToRead(labels_file(tmp_path), "tf")
    try:
        found = measure(Job(path, how, 1, [1, 3], 0.01, files, True))
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, cores)
    assert found.error is None and found.predicted.tolist() == [0]
    assert [each.batch_size for each in found.timings] == [1, 3]


def test_the_peak_of_memory_counts_what_was_given_back():
    before = peak_megabytes()
    np.ones(50_000_000, np.uint8).sum()
    assert peak_megabytes() >= before
