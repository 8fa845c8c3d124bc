"""The numbers of each epoch enter; history.csv, the best epoch and when to stop leave."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnkit.files import write_csv
from cnnkit.schedules import best_epoch, is_better

COLUMNS = (
    "epoch",
    "phase",
    "train_loss",
    "val_loss",
    "train_accuracy",
    "val_accuracy",
    "learning_rate",
    "seconds",
)


class History:
    """The rows of history.csv; each is on disk before the next epoch begins.

    Args:
        path: the CSV file, made anew with the first row.
        monitor: the column that decides which epoch is the best.
        rows: of the epochs that are done, where a training goes on.
    """

    def __init__(self, path: Path, monitor: str, rows: Sequence[Mapping[str, float]] = ()) -> None:
        self.path = path
        self.monitor = monitor
        self.larger_is_better = monitor.endswith("accuracy")
        self.rows = [dict(row) for row in rows]
        self._phase_start = 0
        if rows:
            write_csv(path, COLUMNS, self.rows)

    def begin_phase(self, number: int) -> None:
        """Let `phase_values` and `epochs_since_best` count the epochs of this phase."""
        self._phase_start = sum(row["phase"] < number for row in self.rows)

    def append(self, row: Mapping[str, float]) -> bool:
        """Add a row of COLUMNS, flush it to disk, and return whether it is the best so far."""
        earlier = self.values
        self.rows.append(dict(row))
        with self.path.open("w" if len(self.rows) == 1 else "a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if len(self.rows) == 1:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())
        if not earlier:
            return True
        best = earlier[best_epoch(earlier, larger_is_better=self.larger_is_better)]
        return is_better(self.values[-1], best, larger_is_better=self.larger_is_better)

    @property
    def values(self) -> list[float]:
        """The monitored value of each epoch."""
        return [row[self.monitor] for row in self.rows]

    @property
    def phase_values(self) -> list[float]:
        """The monitored value of each epoch of this phase."""
        return self.values[self._phase_start :]

    @property
    def best(self) -> dict[str, float]:
        """The row of the best epoch."""
        return self.rows[best_epoch(self.values, larger_is_better=self.larger_is_better)]

    @property
    def epochs_since_best(self) -> int:
        """How many epochs of this phase have passed without a new best value of the training."""
        return len(self.rows) - max(self.rows.index(self.best) + 1, self._phase_start)
