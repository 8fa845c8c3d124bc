"""Measure what a calibration of runs is worth on their test images, for docs/calibration.md.

Each run is calibrated with a precision of 0.95. The second table says how reliable such a promise
is: validation and test images are exchanged at random 200 times, and each time the threshold is
found on the one part and measured on the other.

    python scripts/calibration_results.py RUN...
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cnnkit.calibration.answers import Answers
from cnnkit.calibration.calibrate_run import Wanted, calibrate_run
from cnnkit.calibration.calibrated import Calibrated
from cnnkit.calibration.temperature import fit_temperature
from cnnkit.calibration.thresholds import threshold_for_precision
from cnnkit.model.calibration import Calibration
from cnnkit.runs import Run
from cnnkit.tables import table_text

_PRECISION = 0.95
_EXCHANGES = 200


def main(*folders: str) -> None:
    """Print a table with a row per run, and one with what exchanged images deliver."""
    measured = ["temperature", "calibration error", "log loss", "answered", "right of these"]
    delivered = ["mean precision", "10th percentile", "mean coverage"]
    first, second = [], []
    for folder in folders:
        made = calibrate_run(Run(Path(folder)), Wanted(precision=_PRECISION))
        first.append([folder, *_measured(made)])
        second.append([folder, *_delivered(made.answers["validation"], made.answers["test"])])
    print(table_text(["run", *measured], first, right=measured))
    title = f"{_EXCHANGES} exchanges of validation and test images"
    print(table_text(["run", *delivered], second, right=delivered, title=f"\n{title}"))


def _measured(made: Calibrated) -> list[str]:
    before, test = made.measured["validation"], made.measured["test"]
    return [
        f"{made.calibration.temperature:.3f}",
        *(f"{test[f'{name}_before']:.3f} to {test[name]:.3f}" for name in ("ece", "log_loss")),
        *(f"{before[name]:.3f}, test {_share(test[name])}" for name in ("coverage", "precision")),
    ]


def _delivered(validation: Answers, test: Answers) -> list[str]:
    labels, logits, distances = (
        np.concatenate([getattr(each, name) for each in (validation, test)])
        for name in ("labels", "logits", "distances")
    )
    found = []
    for seed in range(_EXCHANGES):
        order = np.random.default_rng(seed).permutation(len(labels))
        chosen, others = (
            Answers(labels[part], logits[part], distances[part])
            for part in np.split(order, [len(validation.labels)])
        )
        temperature = fit_temperature(logits=chosen.logits, labels=chosen.labels)
        confidences = chosen.confidences(temperature, np.inf)  # the distance plays no part here
        threshold = threshold_for_precision(confidences, chosen.is_correct, _PRECISION)
        if threshold is not None:
            thresholds = (threshold,) * logits.shape[1]
            numbers = others.measured(Calibration(temperature, thresholds, np.inf))
            if numbers["precision"] is not None:
                found.append((numbers["precision"], numbers["coverage"]))
    if not found:
        return ["-"] * 3
    precisions, coverages = np.transpose(found)
    values = (precisions.mean(), np.quantile(precisions, 0.1), coverages.mean())
    return [f"{value:.3f}" for value in values]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
