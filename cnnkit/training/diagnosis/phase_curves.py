"""The curves of one phase of a training, and the numbers that verdicts rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cnnkit.training.phases import Phase

_FEWEST_EPOCHS = 3  # with less, a curve has no shape
_LAST = 3  # epochs whose mean is "at the end"


@dataclass(frozen=True)
class PhaseCurves:
    """The epochs of a phase; all curves have one number per epoch.

    Args:
        number: of the phase, from 1.
        phase: what the config says about it.
        rows: of history.csv.
    """

    number: int
    phase: Phase
    rows: Sequence[Mapping[str, float]]

    def _column(self, name: str) -> NDArray:
        return np.array([row.get(name, np.nan) for row in self.rows])

    @cached_property
    def train_loss(self) -> NDArray:
        """The training loss, a mean over each epoch, under dropout and augmentation."""
        return self._column("train_loss")

    @cached_property
    def train_accuracy(self) -> NDArray:
        """The training accuracy, likewise."""
        return self._column("train_accuracy")

    @cached_property
    def val_loss(self) -> NDArray:
        """The validation loss after each epoch; NaN without validation images."""
        return self._column("val_loss")

    @cached_property
    def val_accuracy(self) -> NDArray:
        """The validation accuracy after each epoch; NaN without validation images."""
        return self._column("val_accuracy")

    @cached_property
    def learning_rate(self) -> NDArray:
        """The learning rate of the last step of each epoch."""
        return self._column("learning_rate")

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation loss."""
        return "val_loss" in self.rows[0]

    @property
    def is_long_enough(self) -> bool:
        """Whether the curves have a shape; a linear probe has a single point."""
        return not self.phase.is_probe and len(self.rows) >= _FEWEST_EPOCHS

    @property
    def first_epoch(self) -> int:
        """The number of its first epoch, counted over all phases from 1."""
        return int(self.rows[0]["epoch"])

    @property
    def last_epoch(self) -> int:
        """The number of its last epoch."""
        return int(self.rows[-1]["epoch"])

    @property
    def largest_rate(self) -> float:
        """The largest learning rate that it had at the end of an epoch."""
        return float(self.learning_rate.max())

    @property
    def has_fewer_epochs(self) -> bool:
        """Whether early stopping, a limit or an interruption ended it."""
        return len(self.rows) < self.phase.epochs

    def at_end(self, name: str) -> float:
        """Return the mean of a curve over the last epochs."""
        return float(getattr(self, name)[-_LAST:].mean())

    @property
    def best(self) -> int:
        """The position of the epoch with the smallest validation loss, or training loss."""
        losses = self.val_loss if self.has_validation else self.train_loss
        return int(np.argmin(losses))

    @property
    def best_accuracy(self) -> float:
        """The better one of both accuracies at the end: augmentation makes training harder."""
        names = ("train_accuracy", *(["val_accuracy"] if self.has_validation else []))
        return max(self.at_end(name) for name in names)

    @property
    def gap(self) -> float:
        """Training minus validation accuracy, at the end."""
        return self.at_end("train_accuracy") - self.at_end("val_accuracy")
