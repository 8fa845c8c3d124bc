"""A small run on sounds, for tests of what is made of it."""

from __future__ import annotations

import pytest
from sounds import write_tones

import cnnkit
from cnnkit.runs import find_run

_TONES = """
data: {source: SOURCE, image_size: [32, 40], color_mode: grayscale}
model: {layers: [conv: {filters: 4, kernel_size: 3, strides: 2, activation: relu}, flatten]}
training: {epochs: 3, optimizer: {adam: {learning_rate: 0.01}}}
"""


@pytest.fixture(scope="session")
def tones_run(made_once):
    """Return a run on 36 WAV files of three tones; tests must not change it."""

    def train(folder):
        source = write_tones(folder / "sounds", {"low": 200, "middle": 800, "high": 3_200}, 12)
        (folder / "tones.yaml").write_text(_TONES.replace("SOURCE", str(source)))
        cnnkit.train(folder / "tones.yaml", runs_folder=folder)

    return find_run("tones", made_once("tones-runs", train))
