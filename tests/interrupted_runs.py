"""Runs that were interrupted or killed, and what they give in one go."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from conftest import write_tiny_images

import cnnkit
from cnnkit.config import load_config
from cnnkit.progress import Report
from cnnkit.runs import find_run
from cnnkit.training.checkpoint import Backup

PLAIN_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
augmentation: [random_flip: horizontal, random_rotation: 0.1]
model:
  layers:
    - conv: {filters: 4, kernel_size: 3}
    - batch_norm
    - activation: relu
    - global_pool
    - dropout: 0.3
training:
  epochs: 7
  optimizer: {adamw: {learning_rate: 0.05, weight_decay: 0.01}}
  schedule: {plateau: {patience: 1, factor: 0.5}}
"""
AVERAGES_CONFIG = PLAIN_CONFIG.replace(
    "weight_decay: 0.01", "use_ema: true, ema_momentum: 0.9, gradient_accumulation_steps: 2"
)
PHASES_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
model:
  backbone: {run: runs/start}
  head: [dense: 8, dropout: 0.3]
training:
  optimizer: {adam: {learning_rate: 0.05}}
  schedule: cosine
  phases:
    - {train: head, epochs: 3}
    - {train: {gradual: 2}, epochs: 4, backbone_multiplier: 0.1}
    - {train: head, epochs: 3}
"""


def train_in_one_go(folder):
    write_tiny_images(folder / "images", images_per_class=12)
    (folder / "start.yaml").write_text(PLAIN_CONFIG)
    cnnkit.train(
        folder / "start.yaml", runs_folder=folder / "runs", overrides=["training.epochs=2"]
    )
    configs = {"plain": PLAIN_CONFIG, "averages": AVERAGES_CONFIG, "phases": PHASES_CONFIG}
    for name, text in configs.items():
        (folder / f"{name}.yaml").write_text(text)
        cnnkit.train(folder / f"{name}.yaml", runs_folder=folder / "runs")


def weights_of(path):
    from cnnkit.model.loading import load_keras_model

    return load_keras_model(path).get_weights()


def history_of(run):
    with run.history.open() as file:
        return [{**row, "seconds": None} for row in csv.DictReader(file)]


def assert_same_run(run, whole):
    for path in ("weights/last.keras", "weights/best.keras"):
        pairs = zip(weights_of(run.folder / path), weights_of(whole.folder / path), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)
    assert history_of(run) == history_of(whole)
    assert run.tflite.read_bytes() == whole.tflite.read_bytes()
    assert run.info()["metrics"] == whole.info()["metrics"]
    assert run.info()["status"] == "finished"
    kept = Backup.read(run.backup)
    assert len(kept.rows) == len(history_of(run)) and kept.best is None
    assert not list(run.last.parent.glob(".*"))


class InterruptedReport(Report):
    """Presses Ctrl-C in the second batch after some epochs."""

    def __init__(self, *epochs):
        self.epochs, self.ended, self.notes = list(epochs), 0, []

    def note(self, text):
        self.notes.append(text)

    def epoch_done(self, row, *, is_best):
        self.ended = row["epoch"]

    def batch_done(self, images_done, logs):
        if self.ended in self.epochs and images_done > 8:
            self.epochs.remove(self.ended)
            raise KeyboardInterrupt


def interrupted_run(config, tmp_path, *epochs):
    """Return a run that was interrupted after these epochs, resumed in between, and its texts."""
    from cnnkit.training.run import resume, train

    report = InterruptedReport(*epochs)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(load_config(config), name="cut", runs_folder=tmp_path, report=report)
    texts = [str(caught.value)]
    while report.epochs:
        with pytest.raises(KeyboardInterrupt) as caught:
            resume("cut", runs_folder=tmp_path, report=report)
        texts.append(str(caught.value))
    return find_run("cut", tmp_path), texts
