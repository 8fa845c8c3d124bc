"""Runs with a predictions.csv whose right and wrong answers are chosen."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping

import numpy as np
from made_runs import made_run

from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import write_predictions_file
from cnnkit.files import write_csv, write_text

CLASSES = ("cat", "dog", "owl")
CONFIG = """\
data: {source: photos, image_size: [16, 16]}
model:
  layers: [flatten, dropout: {rate: RATE}]
training: {epochs: 3, seed: SEED}
"""


def scored_run(runs_folder, name, right, *, evaluation="test", seed=0, rate=0.5, **changes):
    """Return a run that is right on the images for which `right` is true.

    `changes` may have `paths`, `labels`, `class_names`, and `contents`: a path -> what is in it.
    """
    run = made_run(runs_folder, name)
    predictions = predictions_of(right, **changes)
    contents: Mapping[str, str] = changes.get("contents", {})
    write_predictions_file(predictions, run.evaluation(evaluation) / "predictions.csv")
    write_csv(
        run.split,
        ("path", "label", "split", "sha256"),
        [
            {
                "path": path,
                "label": predictions.class_names[label],
                "split": evaluation,
                "sha256": hashlib.sha256(contents.get(path, path).encode()).hexdigest(),
            }
            for path, label in zip(predictions.paths, predictions.labels, strict=True)
        ],
    )
    write_text(run.config, CONFIG.replace("SEED", str(seed)).replace("RATE", str(rate)))
    with run.history.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "phase", "train_loss", "val_loss", "val_accuracy"])
        writer.writerows([epoch, 1, 1 / epoch, 1.2 / epoch, 1 - 0.5 / epoch] for epoch in (1, 2, 3))
    return run


def predictions_of(right, *, paths=None, labels=None, class_names=CLASSES, contents=None):
    """Return predictions that give the true class 0.8, or if it is wrong, the next class."""
    right = np.asarray(right, bool)
    labels = np.arange(len(right)) % len(class_names) if labels is None else np.asarray(labels)
    answers = np.where(right, labels, (labels + 1) % len(class_names))
    probabilities = np.full((len(right), len(class_names)), 0.2 / (len(class_names) - 1))
    probabilities[np.arange(len(right)), answers] = 0.8
    paths = [f"{index}.png" for index in range(len(right))] if paths is None else paths
    return Predictions(class_names, paths, labels, probabilities)


def answers(both, only_first, only_second, neither):
    """Return which images two runs get right, given the four counts."""
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second
