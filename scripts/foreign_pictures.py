"""Measure how many foreign pictures runs accept: by a threshold, by the distance, and by both.

Each run is calibrated, so that its threshold and its distance accept 95% of its validation images;
both together accept about as many if each accepts 97.5%. Pictures of FOLDER are foreign.

    python scripts/foreign_pictures.py RUN FOLDER...
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cnnkit.calibration.calibrate_run import Wanted, calibrate_run
from cnnkit.calibration.distances import largest_distance
from cnnkit.calibration.thresholds import threshold_for_coverage
from cnnkit.prediction import find_images, predict
from cnnkit.runs import Run
from cnnkit.runtimes import load_predictor
from cnnkit.tables import table_text


def main(folder: str, *foreign: str) -> None:
    """Print a table with a row per rule and a column per set of pictures."""
    run = Run(Path(folder))
    made = calibrate_run(run, Wanted(accept=0.95))
    temperature = made.calibration.temperature
    predictor = load_predictor(run.tflite, run.folder)
    sets = {
        f"own {name}": (each.probabilities(temperature).max(axis=1), each.distances)
        for name, each in made.answers.items()
    }
    for place in foreign:
        found = [each for each in predict(predictor, find_images([place])) if each.error is None]
        confidences = np.array([each.probabilities.max() for each in found])
        sets[f"{place} ({len(found)})"] = confidences, np.array([each.distance for each in found])
    own_confidences, own_distances = sets["own validation"]
    nothing = np.zeros(len(own_confidences), bool)  # whether an answer is right does not matter

    def share(confidences: np.ndarray, distances: np.ndarray, rule: tuple) -> str:
        accepted = np.ones(len(distances), bool)
        if rule[0] is not None:
            accepted &= confidences >= threshold_for_coverage(own_confidences, nothing, rule[0])
        if rule[1] is not None:
            accepted &= distances <= largest_distance(own_distances, rule[1])
        return f"{accepted.mean():.3f}"

    rules = {"threshold": (0.95, None), "distance": (None, 0.95), "both": (0.975, 0.975)}
    rows = [[name, *(share(*each, rule) for each in sets.values())] for name, rule in rules.items()]
    print(table_text(["accepted by", *sets], rows, right=list(sets), title=str(run.folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
