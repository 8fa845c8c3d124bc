"""What a run holds: its weights and its history."""

from __future__ import annotations

import csv


def weights_of(run, which="best"):
    from cnnkit.backend import keras

    path = run.best if which == "best" else run.last
    return keras.models.load_model(path, compile=False).get_weights()


def history_of(run):
    with run.history.open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
