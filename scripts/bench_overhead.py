"""Measure what checkpoints, logging and safety cost in an epoch, against bare `model.fit`.

    python scripts/bench_overhead.py --photos FOLDER --images 800 --epochs 5

The network and the augmentation are those of configs/dogs_vs_cats.yaml, on JPEGs of about 500 x 375
in two classes, cut out of the photographs, or drawn if there are none. In one process, epochs by
cnnkit and epochs by `model.fit` take turns: the same compiled model, batches and validation. An
epoch by cnnkit also sets the learning rate of each step, looks at each loss, reports the progress,
and writes history.csv, the event files, backup, last.keras and best.keras. The first pair is left
out, because TensorFlow builds its graphs in it. CPU seconds are those of all threads.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

from photographs import write_two_classes

from cnnkit.config import load_config
from cnnkit.progress import LineReport
from cnnkit.training import step
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
        self.ours: list[Cost] = []
        self.bare: list[Cost] = []
        self.fitted: list[float] = []  # seconds of our training and validation alone
        self._begin: Cost | None = None

    def bare_epoch(self, model, batches, epoch) -> None:
        """End the epoch before, train one by `fit`, and begin the next of cnnkit."""
        self.end_epoch()
        begin = Cost.now()
        model.fit(
            batches.training(epoch),
            epochs=1,
            validation_data=batches.validation(),
            shuffle=False,
            verbose=0,
        )
        self.bare.append(Cost.now().since(begin))
        self._begin = Cost.now()

    def epoch_done(self, row: Mapping[str, float], *, is_best: bool) -> None:
        """Keep the seconds of the row."""
        super().epoch_done(row, is_best=is_best)
        self.fitted.append(row["seconds"])

    def end_epoch(self) -> None:
        """Note what the epoch by cnnkit took, with all that was written after it."""
        if self._begin is not None:
            self.ours.append(Cost.now().since(self._begin))
        self._begin = None


def main() -> None:
    """Measure and print a table."""
    arguments = _arguments()
    report = Alternating()
    train_epoch = step.train_epoch

    def after_a_bare_epoch(model, batches, learning_rate, history, *others):
        report.bare_epoch(model, batches, len(history.rows))
        return train_epoch(model, batches, learning_rate, history, *others)

    import cnnkit.training.loop as loop

    loop.train_epoch = after_a_bare_epoch
    with tempfile.TemporaryDirectory() as work:
        images = Path(work) / "images"
        write_two_classes(images, arguments.images, arguments.photos)
        overrides = [
            f"data.source={images}",
            "data.split={validation: 0.2, test: 0, seed: 0}",
            f"training.epochs={arguments.epochs + 1}",
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
    # The last epoch of cnnkit has no end here: what follows it are the results of the run.
    pairs = list(zip(report.bare, report.ours, strict=False))[1:]
    saving = [ours.wall - fitted for ours, fitted in zip(report.ours, report.fitted, strict=False)]
    lines = ["| epoch by | clock | CPU seconds |", "|---|---|---|"]
    for name, number in (("model.fit", 0), ("cnnkit", 1)):
        wall, cpu = (median(pair[number][column] for pair in pairs) for column in (0, 1))
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    ratios = [median(ours[column] / bare[column] - 1 for bare, ours in pairs) for column in (0, 1)]
    more = median(ours.cpu - bare.cpu for bare, ours in pairs)
    return "\n".join(
        [
            *lines,
            "",
            f"cnnkit takes {ratios[0]:+.1%} of the clock and {ratios[1]:+.1%} of CPU seconds "
            f"(medians of {len(pairs)} pairs; wanted: below {TARGET:.0%}): {more:+.2f} CPU seconds "
            f"per epoch of {arguments.images * 4 // 5} images. Saving after an epoch took "
            f"{median(saving[1:]):.2f} s. {os.cpu_count()} cores.",
        ]
    )


if __name__ == "__main__":
    main()
