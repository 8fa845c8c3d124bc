"""`cnnkit schedule`: the learning rate of every step before a training."""

from __future__ import annotations

import csv
import json

import pytest
import yaml
from click.testing import CliRunner
from images import write_classes
from PIL import Image

import cnnkit
from cnnkit.cli import main


@pytest.fixture
def config(tmp_path):
    write_classes(tmp_path / "photos", {"red": 12, "blue": 12})
    text = {
        "data": {"source": "photos", "image_size": 16, "batch_size": 4},
        "model": {"layers": ["flatten"]},
        "training": {
            "epochs": 3,
            "optimizer": {"sgd": 0.01},
            "schedule": {"one_cycle": {"warmup_fraction": 0.5}},
            "warmup_epochs": 0.5,
        },
    }
    path = tmp_path / "photos.yaml"
    path.write_text(yaml.safe_dump(text))
    return path


def _shown(*words):
    return CliRunner().invoke(main, ["schedule", *map(str, words)])


def _rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_rates_are_those_of_the_training(config, tmp_path):
    done = _shown(config, "--json", "--epochs", 4)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    run = cnnkit.train(config, runs_folder=tmp_path / "runs", overrides=["training.epochs=4"])
    rows = _rows(run.history)
    assert [row["epoch"] for row in found["epochs"]] == [1, 2, 3, 4]
    for row, trained in zip(found["epochs"], rows, strict=True):
        assert row["last"] == pytest.approx(float(trained["learning_rate"]), rel=1e-6)
    number = sum(row["split"] == "train" for row in _rows(run.split))
    assert found["steps"] == 4 * -(-number // 4)


def test_the_drawing_is_written_where_it_was_asked_for(config, tmp_path):
    done = _shown(config, "-o", tmp_path / "rate.png")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("3 epochs, ")
    with Image.open(tmp_path / "rate.png") as image:
        assert image.width > 500
    assert _shown(config, "-o", tmp_path / "rate.svg").exit_code == 0
    assert "learning rate" in (tmp_path / "rate.svg").read_text()
    again = _shown(config, "-o", tmp_path / "rate.png")
    assert again.exit_code == 2 and "--overwrite" in again.stderr


def test_what_depends_on_the_results_is_said(config):
    sets = ("--set", "training.schedule=plateau", "--set", "training.early_stopping.patience=1")
    done = _shown(config, *sets)
    assert done.exit_code == 0
    assert "plateau lowers the learning rate" in done.stderr
    assert "early_stopping may end" in done.stderr


def test_a_long_training_is_shown_on_one_screen(config):
    done = _shown(config, "--epochs", 300)
    lines = done.stdout.splitlines()
    assert len(lines) <= 30
    assert lines[2].split()[0] == "1" and lines[-2].split()[0] == "300"
    assert lines[-1] == "276 epochs in between are left out."


def test_a_phase_of_its_own_images_has_its_own_steps_and_a_probe_has_none(tmp_path):
    config = {
        "data": {"source": "digits", "image_size": 32, "color_mode": "rgb", "batch_size": 100},
        "model": {"backbone": {"name": "MobileNetV2", "weights": "none", "alpha": 0.35}},
        "training": {
            "phases": [{"train": "linear_probe"}, {"train": "head", "epochs": 2}],
            "schedule": "polynomial",
        },
    }
    path = tmp_path / "head.yaml"
    path.write_text(yaml.safe_dump(config))
    found = json.loads(_shown(path, "--json").stdout)
    assert found["epochs"][0] == {
        "epoch": 1,
        "train": "linear probe",
        "first": None,
        "last": None,
        "largest": None,
    }
    assert found["epochs"][1]["first"] == 0.001
    assert found["epochs"][2]["first"] == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("schedule", "part"),
    [
        ("{piecewise_constant: {boundaries: [5, 2], factors: [0.1, 0.2]}}", "must rise"),
        ("{piecewise_constant: {boundaries: [2, 5], factors: [0.1]}}", "received 1 and 2"),
        ("{cosine_restarts: {first_epochs: 2, t_mul: 0.5}}", "t_mul"),
        ("{one_cycle: {warmup_fraction: 1}}", "warmup_fraction"),
        ("exponential", "decay_rate"),
    ],
)
def test_wrong_schedules_are_refused(config, schedule, part):
    done = _shown(config, "--set", f"training.schedule={schedule}")
    assert done.exit_code == 2 and part in done.stderr
