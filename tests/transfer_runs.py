"""Helpers of tests that train on the backbone of an earlier run; see transfer_fixtures.py."""

from __future__ import annotations

import csv

import numpy as np

LAYERS = """
  layers:
    - conv: {filters: 4, kernel_size: 3, name: first}
    - batch_norm: {momentum: 0.5, name: norm}
    - activation: relu
    - conv: {filters: 6, kernel_size: 3, activation: relu, name: second}
    - global_pool
"""
DATA = "data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}"


def weights(path):
    """Return the weights of a model file by the path of their variable."""
    from cnnkit.model.loading import load_keras_model

    variables = load_keras_model(path).variables  # the states of random numbers are not saved
    return {v.path: v.numpy() for v in variables if "seed_generator" not in v.path}


def changed(run, folder, layer):
    """Return for each weight of a layer whether the training of a run has changed it."""
    start = folder / "runs" / "start" / "weights" / "best.keras"
    before, after = (
        [value for name, value in weights(path).items() if f"{layer}/" in f"/{name}"]
        for path in (start, run.last)
    )
    assert len(before) == len(after) > 0
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def history(run):
    """Return the rows of history.csv as numbers."""
    with run.history.open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
