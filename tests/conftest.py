"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CLASS_NAMES = ("blue", "green", "red")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep the caches of the tests away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def tiny_images(tmp_path):
    """Return a folder of 3 classes x 8 noisy one-coloured images of 16 px."""
    return write_tiny_images(tmp_path / "tiny")


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of real data sets, or skip where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CNNKIT_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CNNKIT_TEST_DATA to a folder that has it")
    return folder


def write_tiny_images(folder, *, images_per_class=8, size=16, seed=0):
    """Write class folders of pictures that are brightest in the colour of their class."""
    random = np.random.default_rng(seed)
    for channel, name in ((2, "blue"), (1, "green"), (0, "red")):
        (folder / name).mkdir(parents=True)
        for index in range(images_per_class):
            pixels = random.integers(0, 100, (size, size, 3), dtype=np.uint8)
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory):
    """Return a config file that trains in seconds on three colours, 12 images each."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_images(folder / "images", images_per_class=12)
    path = folder / "tiny.yaml"
    path.write_text(
        """
data:
  source: images
  image_size: 16
  split: {validation: 0.2, test: 0.2}
  batch_size: 8
model:
  layers:
    - conv: {filters: 4, kernel_size: 3, activation: relu}
    - global_pool
training:
  epochs: 6
  optimizer: {adam: {learning_rate: 0.05}}
"""
    )
    return path


@pytest.fixture(scope="session")
def trained_run(tiny_config, tmp_path_factory):
    """Return the finished run of `tiny_config`; tests must not change it."""
    import cnnkit

    return cnnkit.train(tiny_config, runs_folder=tmp_path_factory.mktemp("runs"))
