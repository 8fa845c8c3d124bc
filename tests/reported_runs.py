"""Runs for reports: images on disk, answers that are right or wrong as wanted, no training."""

from __future__ import annotations

import hashlib

import numpy as np
from images import write_image
from scored_runs import predictions_of, scored_run

from cnnkit.evaluation.all_metrics import all_metrics
from cnnkit.files import write_csv, write_json, write_text

# Names that would break a page in which they are not escaped, or not isolated.
AWKWARD = ('<b>&"cat"</b>', "🐱 it's", "חתול", "</script><img src=x onerror=alert(1)>")
CONFIG = """\
data: {{source: {source}, image_size: [16, 16]}}
augmentation: [random_flip: horizontal]
model:
  layers: [flatten, dropout: {{rate: 0.5}}]
training: {{epochs: 3, seed: 0}}
"""


HISTORY = [
    {
        "epoch": epoch,
        "phase": 1,
        "train_loss": 1 / epoch,
        "val_loss": 1.2 / epoch,
        "train_accuracy": 1 - 0.4 / epoch,
        "val_accuracy": 1 - 0.5 / epoch,
        "learning_rate": 0.001,
        "seconds": 2.5,
    }
    for epoch in (1, 2, 3)
]


def reported_run(folder, *, class_names=AWKWARD, right=None, num_train=3, split="test"):
    """Return a run with images in `folder/photos`, whose answers are right where `right` is true.

    It has `num_train` training images per class, and as many test images as `right` has entries.
    """
    right = [True, False, True, True] * 5 if right is None else right
    run = scored_run(folder / "runs", "cats", right, class_names=class_names, evaluation=split)
    photos, labels = folder / "photos", np.arange(len(right)) % len(class_names)
    rows = [(f"{split}-{place}.png", label, split) for place, label in enumerate(labels)]
    rows += [
        (f"train-{label}-{place}.png", label, "train")
        for label in range(len(class_names))
        for place in range(num_train)
    ]
    split_rows = []
    for seed, (name, label, of) in enumerate(rows):
        write_image(photos / name, seed=seed)
        digest = hashlib.sha256((photos / name).read_bytes()).hexdigest()
        cells = {"path": name, "label": class_names[label], "split": of, "sha256": digest}
        split_rows.append(cells)
    write_csv(run.split, ("path", "label", "split", "sha256"), split_rows)
    write_text(run.config, CONFIG.format(source=photos))
    write_text(run.classes, "".join(f"{name}\n" for name in class_names))
    counts = {
        "train": dict.fromkeys(class_names, num_train),
        split: {name: int((labels == label).sum()) for label, name in enumerate(class_names)},
    }
    run.update(data={"source": str(photos), "counts": counts, "skipped": [], "notes": []})
    write_csv(run.history, tuple(HISTORY[0]), HISTORY)
    paths = [name for name, _, of in rows if of == split]
    predictions = predictions_of(right, paths=paths, class_names=class_names)
    write_answers(run, predictions, split)
    for file in (run.best, run.last, run.tflite, run.golden):
        file.unlink()
    return run


def write_answers(run, predictions, name):
    """Write predictions.csv and metrics.json of an evaluation."""
    from cnnkit.evaluation.predictions_file import write_predictions_file

    write_predictions_file(predictions, run.evaluation(name) / "predictions.csv")
    write_json(run.evaluation(name) / "metrics.json", all_metrics(predictions))
