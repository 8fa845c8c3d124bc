"""The history of a training: its rows in history.csv, and which epoch is the best."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnkit.files import write_csv
from cnnkit.learning_rate_schedules import best_epoch, is_better

# The columns that come from Keras, with its names for them. `val_loss` is its metric
# `plain_loss`, not its loss: see `build_metrics` for why.
_FROM_KERAS = {
    "train_loss": "loss",
    "val_loss": "val_plain_loss",
    "train_accuracy": "accuracy",
    "val_accuracy": "val_accuracy",
}
# If the optimizer averages the weights: the values of the weights themselves, beside those of the
# averages, which are saved.
_RAW_FROM_KERAS = {
    f"raw_{column}": f"raw_{name}"
    for column, name in _FROM_KERAS.items()
    if column.startswith("val_")
}
NOT_FINITE = "became NaN or infinite"  # in the error of such a training
COLUMNS = ("epoch", "phase", *_FROM_KERAS, "learning_rate", "seconds")


class History:
    """The rows of history.csv; each is on disk before the next epoch begins.

    Args:
        path: the CSV file; the first row replaces an older file.
        monitor: the column that decides which epoch is the best.
        rows: of the finished epochs, if a training is resumed.
    """

    def __init__(self, path: Path, monitor: str, rows: Sequence[Mapping[str, float]] = ()) -> None:
        self.path = path
        self.monitor = monitor
        self.larger_is_better = monitor.endswith("accuracy") or monitor == "epoch"
        self.rows = [dict(row) for row in rows]
        self.phase = 1
        self._phase_start = 0
        if rows:
            # After a kill the file may also have epochs whose weights were not saved: they go.
            write_csv(path, _columns_of(self.rows[0]), self.rows)

    def begin_phase(self, number: int) -> None:
        """Let `phase_values` and `epochs_since_best` count from the first epoch of this phase.

        Args:
            number: of the phase, from 1.
        """
        self.phase = number
        # Not len(self.rows): a resumed training has rows of this phase, and perhaps of later ones.
        self._phase_start = sum(row["phase"] < number for row in self.rows)

    def next_row(
        self, logs: Mapping[str, float], *, learning_rate: float, seconds: float
    ) -> dict[str, float]:
        """Return the row of the epoch that has just ended; `append` adds it.

        Args:
            logs: losses and accuracies under Keras's names.
            learning_rate: of the last step.
            seconds: of training and validation.
        """
        numbers = {
            column: float(logs[name])
            for column, name in (_FROM_KERAS | _RAW_FROM_KERAS).items()
            if name in logs
        }
        return {
            "epoch": len(self.rows) + 1,
            "phase": self.phase,
            **numbers,
            "learning_rate": learning_rate,
            "seconds": round(seconds, 3),
        }

    def append(self, row: Mapping[str, float]) -> bool:
        """Add a row, write it to disk, and return whether the epoch is the best so far."""
        earlier = self.values
        self.rows.append(dict(row))
        with self.path.open("w" if len(self.rows) == 1 else "a", newline="") as file:
            writer = csv.DictWriter(file, _columns_of(self.rows[0]), lineterminator="\n")
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
        """The number of epochs of this phase since the best epoch of the whole training."""
        # At most the epochs of this phase: each phase has its full patience.
        return len(self.rows) - max(self.rows.index(self.best) + 1, self._phase_start)


def _columns_of(row: Mapping[str, float]) -> tuple[str, ...]:
    return (*COLUMNS, *(name for name in _RAW_FROM_KERAS if name in row))
