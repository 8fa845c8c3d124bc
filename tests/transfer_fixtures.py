"""Fixtures of tests that train on a backbone: images, a tiny run, and how to train on it."""

from __future__ import annotations

import pytest
from conftest import write_tiny_images
from transfer_runs import DATA, LAYERS

import cnnkit
from cnnkit.config import load_config


@pytest.fixture(scope="session")
def transfer_start(made_once):
    """Return a folder with images, other images, and a run that was trained on the others."""

    def fill(folder):
        write_tiny_images(folder / "others", seed=5)
        write_tiny_images(folder / "images", images_per_class=12)
        data = "data: {source: others, image_size: 16, batch_size: 8}"
        (folder / "start.yaml").write_text(f"{data}\nmodel:{LAYERS}training: {{epochs: 3}}\n")
        cnnkit.train(folder / "start.yaml", runs_folder=folder / "runs")

    return made_once("transfer", fill)


@pytest.fixture
def folder(transfer_start, tmp_path):
    """Return a folder of the test's own with links to the images and to runs/start."""
    folder = tmp_path / "project"
    (folder / "runs").mkdir(parents=True)
    for name in ("images", "others", "runs/start"):
        (folder / name).symlink_to(transfer_start / name)
    return folder


@pytest.fixture
def transfer(folder, tmp_path, no_pictures):
    """Return a function that trains on the backbone runs/start with some training section."""

    def train(training, model="", data=DATA, notes=None):
        from cnnkit.progress import Report
        from cnnkit.training.run import train as train_config

        name = f"config{len(list(folder.glob('*.yaml')))}"
        path = folder / f"{name}.yaml"
        path.write_text(
            f"{data}\nmodel: {{backbone: {{run: runs/start}}{model}}}\ntraining: {training}\n"
        )
        report = Report()
        report.note = (notes if notes is not None else []).append
        return train_config(load_config(path), name=name, runs_folder=tmp_path, report=report)

    return train
