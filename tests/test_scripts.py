"""The scripts, run as their users run them, on a few drawn images and one tiny run."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_tiny_images
from places import SCRIPTS

import cnnkit

CONFIG = """
data: {source: tiny images, image_size: 16, split: {validation: 0.25, test: 0.25}}
model: {layers: [flatten]}
training: {epochs: 1, tensorboard: false}
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the scripts need bash")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Return a folder with `tiny images`, and `runs/tiny` trained on them."""
    folder = tmp_path_factory.mktemp("scripts")
    write_tiny_images(folder / "tiny images")
    (folder / "tiny.yaml").write_text(CONFIG)
    cnnkit.train(folder / "tiny.yaml", runs_folder=folder / "runs")
    return folder


def environment(**more):
    """Return the environment with the commands of the tested interpreter first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **more}


def run(folder, *command, **more):
    """Run a command in a folder and return the finished process."""
    words = [str(word) for word in command]
    if words[0].endswith(".py"):
        words.insert(0, sys.executable)
    return subprocess.run(
        words, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=120
    )


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_runs_are_scored_into_one_csv_and_a_bad_run_does_not_stop_the_others(work, tmp_path):
    scores = tmp_path / "my scores.csv"
    other = tmp_path / "second run"
    shutil.copytree(work / "runs" / "tiny", other)
    evaluate = [SCRIPTS / "evaluate_runs.sh", "tiny images", scores]
    done = run(work, *evaluate, "runs/none", "runs/tiny")
    assert done.returncode == 1
    assert "runs/none: FAILED" in done.stderr
    assert [row["run"] for row in rows(scores)] == ["runs/tiny"]
    assert rows(scores)[0]["num_images"] == "24"
    assert 0 <= float(rows(scores)[0]["accuracy"]) <= 1

    scores.write_text(scores.read_text().replace(",24,", ",77,"))  # to see it is not done again
    done = run(work, *evaluate, "runs/tiny", other, "--", "--name", "again")
    assert done.returncode == 0
    assert [(row["run"], row["num_images"]) for row in rows(scores)] == [
        ("runs/tiny", "77"), (str(other), "24"),
    ]  # fmt: skip
    assert (other / "evaluation" / "again" / "metrics.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my scores.csv", "second run"]


def test_a_csv_of_something_else_is_not_overwritten(work, tmp_path):
    (tmp_path / "mine.csv").write_text("name,number\n")
    done = run(
        work, SCRIPTS / "evaluate_runs.sh", "tiny images", tmp_path / "mine.csv", "runs/tiny"
    )
    assert done.returncode == 2
    assert (tmp_path / "mine.csv").read_text() == "name,number\n"


def test_the_shell_script_explains_itself(work):
    name = "evaluate_runs.sh"
    helped, empty = run(work, SCRIPTS / name, "-h"), run(work, SCRIPTS / name)
    assert (helped.returncode, empty.returncode) == (0, 2)
    assert helped.stdout.startswith(f"Usage: {name}") and empty.stderr.startswith("Usage:")


def test_test_images_are_of_the_test_split_and_of_all_classes(work):
    done = run(work, SCRIPTS / "test_images.py", "4")
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.parent.name for path in paths] == ["blue", "green", "red", "blue"]
    split = {row["path"]: row["split"] for row in rows(work / "runs" / "tiny" / "split.csv")}
    assert {split[f"{path.parent.name}/{path.name}"] for path in paths} == {"test"}
    assert run(work, SCRIPTS / "test_images.py", "runs/tiny", "4").stdout == done.stdout


def test_test_images_of_no_run_is_an_error(work):
    done = run(work, SCRIPTS / "test_images.py", "runs/none", "4")
    assert (done.returncode, done.stdout) == (2, "")
    assert "runs/none is not a run folder" in done.stderr


@pytest.mark.parametrize(
    "name", ["generate_cli_docs.py", "generate_schema.py", "generate_backbones_docs.py"]
)
def test_generated_files_are_up_to_date(work, name):
    done = run(work, SCRIPTS / name, "--check")
    assert done.returncode == 0, done.stderr


def test_seeds_are_trained_and_scored_in_a_table(work, tmp_path):
    done = run(
        work, SCRIPTS / "train_and_score.py", "tiny.yaml", "--seeds", "0",
        "--set", "training.batch_size=8", "--runs-folder", tmp_path,
    )  # fmt: skip
    assert done.returncode == 2 and "batch_size" in done.stderr
    done = run(
        work, SCRIPTS / "train_and_score.py", "tiny.yaml", "--seeds", "3",
        "--set", "data.batch_size=8", "--runs-folder", tmp_path,
    )  # fmt: skip
    header, _, row = done.stdout.splitlines()
    assert "test accuracy, seeds 3 (6 images)" in header
    accuracy = run_metrics(tmp_path / "tiny")["accuracy"]
    assert f"| tiny.yaml | {accuracy:.4f} | {accuracy:.4f} | 0.0000 |" in row


def run_metrics(folder):
    return json.loads((folder / "run.json").read_text())["metrics"]["test"]


def test_what_a_calibration_is_worth_is_measured_on_any_run(work, tmp_path):
    shutil.copytree(work / "runs" / "tiny", tmp_path / "runs" / "tiny")  # it is calibrated
    done = run(tmp_path, sys.executable, SCRIPTS / "calibration_results.py", "runs/tiny")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.strip().split("\n\n")
    assert first.split("\n")[1].split()[0] == "runs/tiny"
    assert second.startswith("200 exchanges of validation and test images")


@pytest.mark.slow
def test_the_table_of_exports_has_a_row_per_format(work):
    script = SCRIPTS / "export_results.py"
    done = run(work, script, "runs/tiny", "--formats", "tflite", "tflite-int8")
    assert done.returncode == 0, done.stderr
    full, short = (
        [line.strip("| ").split(" | ") for line in table.splitlines()]
        for table in done.stdout.split("\n\n")
    )
    header, _, exact, int8 = full
    assert header[:3] == ["run", "format", "size"]
    assert [exact[:2], int8[:2]] == [["tiny", "tflite"], ["tiny", "tflite-int8"]]
    assert exact[6:] == ["+0.0 (+0.0 to +0.0)", "100.0%"]
    assert short[0] == ["run", "tflite", "tflite-int8"]
    assert short[2][1] == f"{exact[5]}, {exact[2]}, {exact[3]} ms"
