"""Trainings that never ran: curves, counts and metrics from which verdicts are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnkit.config import config_from_text
from cnnkit.training.diagnosis.evidence import Evidence
from cnnkit.training.diagnosis.phase_curves import PhaseCurves
from cnnkit.training.phases import phases_of

CONFIG = """
data: {source: digits, image_size: 32, color_mode: grayscale}
model:
  layers:
    - conv: {filters: 8, kernel_size: 3, activation: relu}
    - flatten
    - dropout: 0.2
    - dense: {units: 32, activation: relu}
training: {epochs: 12}
"""


def phase_rows(
    train_loss, val_loss, train_accuracy, val_accuracy, rates=None, *, phase=1, before=0
):
    """Return the rows of history.csv of a phase; a number stands for the same in all epochs."""
    length = len(train_loss)
    columns = {
        "train_loss": train_loss,
        "val_loss": val_loss,
        "train_accuracy": train_accuracy,
        "val_accuracy": val_accuracy,
        "learning_rate": 0.001 if rates is None else rates,
    }
    full = {
        name: np.broadcast_to(np.asarray(values, float), length)
        for name, values in columns.items()
        if values is not None
    }
    return [
        {
            "epoch": before + epoch + 1,
            "phase": phase,
            **{name: float(values[epoch]) for name, values in full.items()},
            "seconds": 1.0,
        }
        for epoch in range(length)
    ]


def made_evidence(
    *phases,
    text=CONFIG,
    overrides=(),
    train=1000,
    validation=200,
    test=200,
    classes=10,
    counts=None,
    metrics=None,
    recalls=None,
    copies=None,
    **more,
):
    """Return the evidence of a training with these rows; each class has as many images."""
    config = config_from_text(text, [*overrides])
    sizes = {"train": train, "validation": validation, "test": test}
    names = [f"class{number}" for number in range(classes)]
    even = {split: dict.fromkeys(names, size // classes) for split, size in sizes.items()}
    all_phases = phases_of(config)
    curves = tuple(
        PhaseCurves(int(rows[0]["phase"]), all_phases[int(rows[0]["phase"]) - 1], tuple(rows))
        for rows in phases
    )
    return Evidence(
        Path("runs/a"),
        config,
        curves,
        counts or even,
        metrics or {},
        recalls or {},
        copies or {},
        5000,
        **more,
    )


# --- trainings of ten balanced classes; guessing has a loss of 2.303

_EPOCHS = np.arange(1, 13)
_FALL = 2.0 * 0.55**_EPOCHS  # 1.1 after the first epoch, 0.0015 after the last
_RISE_OF_ACCURACY = 1 - 0.9 * 0.6**_EPOCHS

HEALTHY = phase_rows(_FALL + 0.02, _FALL + 0.05, _RISE_OF_ACCURACY, _RISE_OF_ACCURACY - 0.01)
BY_HEART = phase_rows(
    _FALL,
    [1.2, 0.9, 0.7, 0.6, 0.62, 0.66, 0.71, 0.77, 0.84, 0.92, 1.0, 1.1],
    _RISE_OF_ACCURACY,
    np.minimum(_RISE_OF_ACCURACY, 0.8),
)
AT_CHANCE = phase_rows([2.303 - 0.005 * k for k in range(12)], 2.31, 0.13, 0.10)
FALLING = phase_rows(
    [2.2 - 0.12 * k for k in range(12)],
    [2.2 - 0.11 * k for k in range(12)],
    [0.2 + 0.04 * k for k in range(12)],
    [0.2 + 0.04 * k for k in range(12)],
)
FLAT = phase_rows(
    [2.1, 1.8, 1.6, 1.5] + [1.45 - 0.005 * k for k in range(8)],
    [2.1, 1.8, 1.6, 1.5] + [1.46 - 0.005 * k for k in range(8)],
    [0.2, 0.3, 0.4, 0.5] + [0.52] * 8,
    [0.2, 0.3, 0.4, 0.5] + [0.51] * 8,
)
