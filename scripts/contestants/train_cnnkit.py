"""Measure when each epoch of a training by cnnkit ends.

The times include reading, packing, the epochs and saving the weights after each, up to the end of
the last epoch. They do not include importing TensorFlow, nor what follows (model.tflite,
evaluation, plots).

    python scripts/contestants/train_cnnkit.py CONFIG RUNS_FOLDER [KEY=VALUE...]
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cnnkit.config import load_config
from cnnkit.progress import Report
from cnnkit.training.run import train


class EpochEnds(Report):
    """Records when each epoch ended."""

    def __init__(self) -> None:
        """Start the clock."""
        self.begin = time.perf_counter()
        self.seconds: list[float] = []

    def epoch_done(self, row: Mapping[str, float], *, is_best: bool) -> None:
        """Record the time."""
        self.seconds.append(time.perf_counter() - self.begin)


config_path, runs_folder, *overrides = sys.argv[1:]
ends = EpochEnds()
config = load_config(Path(config_path), overrides)
info = train(config, name="bench", runs_folder=Path(runs_folder), report=ends).info()
facts = {
    "epoch_ends": ends.seconds,
    "num_images": sum(info["data"]["counts"]["train"].values()),
    "parameters": info["parameters"],
}
print(json.dumps(facts))
