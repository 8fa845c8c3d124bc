"""What costs users their trust elsewhere: each with the right answer here, by the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import write_tiny_images
from images import file_bytes, noise

from cnnkit.cli import main

_CONFIG = """
data: {{source: images, image_size: 16, batch_size: 8, {data}}}
model:
  layers:
    - conv: {{filters: 4, kernel_size: 3, activation: relu}}
    - global_pool
training: {{epochs: 4, optimizer: {{adam: {{learning_rate: 0.05}}}}}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with images/ and a way to write a config and call cnnkit in it."""
    monkeypatch.chdir(tmp_path)
    return _Project(tmp_path)


class _Project:
    def __init__(self, folder):
        self.folder = folder
        self.images = folder / "images"

    def config(self, data="split: {validation: 0.2, test: 0.2}"):
        (self.folder / "a.yaml").write_text(_CONFIG.format(data=data))

    def cnnkit(self, *words):
        """Call cnnkit in this process, without the seconds that TensorFlow takes to start."""
        done = CliRunner().invoke(main, list(words), catch_exceptions=False)
        return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)

    def process(self, *words):
        """Call cnnkit in a process of its own, which is ended if it hangs."""
        return subprocess.run(
            [sys.executable, "-m", "cnnkit", *map(str, words)],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def info(self):
        return json.loads((self.folder / "runs" / "a" / "run.json").read_text())


def _break_two(folder):
    whole = file_bytes(noise(200, 200), "JPEG")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "list.jpg").write_text("milk, bread, eggs")


def test_broken_images_in_training_data_are_named_before_anything_is_trained(project):
    write_tiny_images(project.images)
    _break_two(project.images / "red")
    project.config()
    done = project.cnnkit("train", "a.yaml")
    assert done.returncode == 1
    assert "2 of 26 images cannot be read" in done.stderr
    assert "red/cut.jpg: " in done.stderr and "truncated" in done.stderr
    assert "red/list.jpg: it is not an image" in done.stderr
    assert "data.on_error: skip" in done.stderr
    assert "epoch" not in done.stderr and "Traceback" not in done.stderr
    assert not (project.folder / "runs").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs pipes and devices in folders")
@pytest.mark.parametrize(
    "words",
    [
        ("data", "stats", "images"),
        ("data", "split", "images"),
        ("data", "pack", "a.yaml"),
        ("init", "images"),
        pytest.param(("train", "a.yaml"), marks=pytest.mark.slow),  # it reads as pack does
    ],
    ids=" ".join,
)
def test_pipes_and_devices_among_the_images_are_named_and_never_read(project, words):
    """Opening the pipe would wait for ever; so would reading some devices."""
    write_tiny_images(project.images)
    os.mkfifo(project.images / "red" / "pipe.png")
    (project.images / "red" / "device.png").symlink_to("/dev/zero")
    project.config()
    done = project.process(*words)
    if words[0] == "init":
        assert "2 of the opened images cannot be decoded" in " ".join(
            (project.folder / "images.yaml").read_text().replace("#", "").split()
        )
        return
    said = done.stdout + done.stderr
    assert "red/pipe.png: it is a pipe, not a file" in said
    assert "red/device.png: it is a device, not a file" in said
    assert done.returncode == (0 if "stats" in words else 1)


def test_skipped_images_are_named_counted_and_recorded(project):
    write_tiny_images(project.images)
    _break_two(project.images / "red")
    project.config("on_error: skip")
    done = project.cnnkit("train", "a.yaml")
    assert done.returncode == 0, done.stderr
    assert "red/cut.jpg" in done.stderr and "red/list.jpg" in done.stderr
    assert "2 of 26 images" in done.stderr
    skipped = [item["path"] for item in project.info()["data"]["skipped"]]
    assert skipped == ["red/cut.jpg", "red/list.jpg"]


def test_a_validation_folder_that_lacks_a_class_never_shifts_labels(project):
    for seed, part in enumerate(("train", "val", "test")):
        write_tiny_images(project.images / part, seed=seed)
    shutil.rmtree(project.images / "val" / "blue")  # the first class: labels would shift by one
    project.config("color_mode: rgb")
    refused = project.cnnkit("train", "a.yaml")
    assert refused.returncode == 1
    assert "the validation split lacks 1 class that train has: blue" in refused.stderr
    allowed = project.cnnkit("train", "a.yaml", "--set", "data.allow_missing_classes=true",
                             "--epochs", "10")  # fmt: skip
    assert allowed.returncode == 0, allowed.stderr
    assert project.info()["metrics"]["validation"]["accuracy"] == 1.0
    metrics = project.folder / "runs" / "a" / "evaluation" / "validation" / "metrics.json"
    matrix = np.array(json.loads(metrics.read_text())["confusion_matrix"])
    assert matrix.tolist() == [[0, 0, 0], [0, 8, 0], [0, 0, 8]]


def test_a_typo_in_a_config_is_one_line_with_its_place_before_tensorflow(project):
    write_tiny_images(project.images)
    project.config()
    path = project.folder / "a.yaml"
    path.write_text(path.read_text().replace("kernel_size", "kernal_size"))
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(['train', 'a.yaml'])\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert len(done.stderr.splitlines()) == 1
    assert "kernal_size" in done.stderr and "Did you mean kernel_size?" in done.stderr
    assert done.stderr.startswith("a.yaml:5:26  model.layers[0].conv.kernal_size  ")
    assert "Traceback" not in done.stderr


def test_a_stack_that_collapses_the_image_is_refused_before_tensorflow(project):
    write_tiny_images(project.images)
    project.config()
    path = project.folder / "a.yaml"
    path.write_text(
        path.read_text().replace("    - global_pool", "    - pool\n" * 4 + "    - flatten")
    )
    done = project.cnnkit("summary", "a.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("a.yaml:9:7  model.layers[4]")
    assert "(16 > 14 > 7 > 3 > 1)" in done.stderr


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda images: None, "does not exist"),
        (lambda images: images.mkdir(), "no class folders"),
        (lambda images: (images / "cat").mkdir(parents=True), "without an image"),
        (lambda images: write_tiny_images(images, images_per_class=1), "too few images to split"),
    ],
)
def test_data_that_cannot_be_trained_on_says_why(project, prepare, words):
    prepare(project.images)
    project.config()
    done = project.cnnkit("train", "a.yaml")
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_single_class_is_refused(project):
    write_tiny_images(project.images)
    for name in ("red", "green"):
        shutil.rmtree(project.images / name)
    project.config()
    done = project.cnnkit("train", "a.yaml")
    assert done.returncode == 1
    assert "only one class (blue)" in done.stderr


def test_debug_shows_the_traceback_of_an_expected_failure(project):
    project.config()
    assert "Traceback" in project.process("data", "stats", "images", "--debug").stderr
    assert "Traceback" not in project.process("data", "stats", "images").stderr
