"""Measure what checkpoints, logging and safety cost in an epoch, against bare `model.fit`.

    python scripts/bench_overhead.py --photos FOLDER --images 800 --epochs 5

The network and the augmentation are those of configs/dogs_vs_cats.yaml, on JPEGs of about 500 x 375
in two classes, cut out of the photographs, or drawn if there are none. In one process, epochs by
cnnkit and epochs by `model.fit` take turns: the same compiled model, batches and validation. An
epoch by cnnkit also sets the learning rate of each step, looks at each loss, reports the progress,
and writes history.csv, the event files, backup, last.keras and best.keras. The first pair is left
out, because TensorFlow builds its graphs in it, and so is the last one. CPU seconds are those of
all threads.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from photographs import write_two_classes

from cnnkit.config import load_config
from cnnkit.progress import LineReport
from cnnkit.training import loop
from cnnkit.training.run import train

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "dogs_vs_cats.yaml"
TARGET = 0.03


class Cost(NamedTuple):
    """What something took: seconds of the clock and of the processors."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Cost:
        """Return the time so far."""
        return cls(time.perf_counter(), time.process_time())

    def since(self, begin: Cost) -> Cost:
        """Return the difference."""
        return Cost(self.wall - begin.wall, self.cpu - begin.cpu)


class Alternating(LineReport):
    """Lets `model.fit` train an epoch before each epoch of cnnkit, and measures both."""

    def __init__(self) -> None:
        super().__init__()
        self.bare: list[Cost] = []
        self.ours: list[Cost] = []
        self.saving: list[Cost] = []  # the part of `ours` after training and validation
        self._begin = self._trained = Cost.now()

    def epoch(self, model: Any, batches: Any, number: int, train_epoch: Callable) -> Any:
        """Train an epoch by `fit`, then one by cnnkit, whose row is returned."""
        if self.bare:
            self.end_epoch()
        begin = Cost.now()
        model.fit(
            batches.training(number),
            epochs=1,
            validation_data=batches.validation(),
            shuffle=False,
            verbose=0,
        )
        self.bare.append(Cost.now().since(begin))
        self._begin = Cost.now()
        row = train_epoch()
        self._trained = Cost.now()
        return row

    def end_epoch(self) -> None:
        """Note what the last epoch by cnnkit took, with all that was written after it."""
        self.ours.append(Cost.now().since(self._begin))
        self.saving.append(Cost.now().since(self._trained))


def main() -> None:
    """Measure and print a table."""
    arguments = _arguments()
    report, train_epoch = Alternating(), loop.train_epoch

    def both(model: Any, batches: Any, learning_rate: Any, history: Any, *others: Any) -> Any:
        def ours() -> Any:
            return train_epoch(model, batches, learning_rate, history, *others)

        return report.epoch(model, batches, len(history.rows), ours)

    loop.train_epoch = both
    with tempfile.TemporaryDirectory() as work:
        images = Path(work) / "images"
        write_two_classes(images, arguments.images, arguments.photos)
        overrides = [
            f"data.source={images}",
            "data.split={validation: 0.2, test: 0, seed: 0}",
            f"training.epochs={arguments.epochs + 2}",
            "training.early_stopping=null",
        ]
        train(load_config(CONFIG, overrides), name="b", runs_folder=Path(work), report=report)
    print(_table(report, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, help="a folder of photographs to cut images out of")
    parser.add_argument("--images", type=int, default=800, help="by default 800")
    parser.add_argument("--epochs", type=int, default=5, help="pairs of epochs, by default 5")
    return parser.parse_args()


def _table(report: Alternating, arguments: argparse.Namespace) -> str:
    # The first pair is left out, and the last, whose epoch by cnnkit ends with the results.
    pairs = list(zip(report.bare, report.ours, report.saving, strict=False))[1:]
    lines = ["| | clock | CPU seconds |", "|---|---|---|"]
    for name, number in (("model.fit", 0), ("cnnkit", 1), ("of it saving", 2)):
        wall, cpu = (median(pair[number][column] for pair in pairs) for column in (0, 1))
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    clock, cpu = (median(pair[1][part] / pair[0][part] - 1 for pair in pairs) for part in (0, 1))
    return "\n".join(
        [
            *lines,
            "",
            f"cnnkit takes {clock:+.1%} of the clock and {cpu:+.1%} of CPU seconds (medians of "
            f"{len(pairs)} pairs of epochs of {arguments.images * 4 // 5} images; wanted: below "
            f"{TARGET:.0%}). {os.cpu_count()} cores.",
        ]
    )


if __name__ == "__main__":
    main()
