"""Estimate how many seconds a training still needs, from what was measured so far.

What the estimate assumes:

- Epochs with equal work take equally long: the same number of images, and the same layers learn.
- Other work takes time in proportion to its multiply-adds, or to parameters if some layer is known
  to Keras only. It is compared with the measured work that is nearest in size, because the time for
  the steps themselves hardly depends on the network. Work that is more than 100 times as large as
  anything measured is unknown: an epoch of a small head says nothing about its backbone.
- For a layer that learns, a training step costs three forward passes, for a frozen one it costs
  one. So does validation. On cached features only the head costs anything in an epoch, and before
  the first epoch all images go through the backbone once. A linear probe costs an epoch of the
  output layer.
- No phase stops early, so with early stopping the estimate is the longest time.
- Loading, and what follows the last epoch (evaluation, plots), are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cnnkit.text import duration_text

_MOST_TIMES = 100  # the largest ratio of unknown work to measured work


@dataclass(frozen=True)
class Work:
    """An amount of computing, in any unit that is the same for all phases.

    Args:
        training: in training steps.
        inference: in forward passes alone: validation, or features of a frozen backbone.
    """

    training: float
    inference: float = 0.0

    @property
    def total(self) -> float:
        """Training and inference together."""
        return self.training + self.inference


@dataclass(frozen=True)
class PhaseWork:
    """The work of a phase.

    Args:
        epochs: how many there are, or how many are left; 1.5 if one and a half are.
        epoch: the work of each.
        before: the work before the first epoch: computing the features that are cached.
        may_stop_early: whether there may be fewer epochs.
    """

    epochs: float
    epoch: Work
    before: Work = Work(0)
    may_stop_early: bool = False


# The seconds that some work took.
Measured = Mapping[Work, float]


def seconds_of(work: Work, measured: Measured) -> float | None:
    """Return the seconds that some work takes, None if nothing similar was measured.

    >>> seconds_of(Work(30, 2), {Work(10, 6): 4.0})
    8.0
    """
    if work in measured or not work.total:
        return measured.get(work, 0.0)
    known = [each for each in measured if each.total]
    if not known:
        return None
    nearest = min(known, key=lambda each: abs(math.log(each.total / work.total)))
    times = work.total / nearest.total
    return None if times > _MOST_TIMES else times * measured[nearest]


def seconds_left(phases: Iterable[PhaseWork], measured: Measured) -> float | None:
    """Return the seconds that all these phases take, None if one of them is unknown.

    >>> seconds_left([PhaseWork(2.5, Work(10)), PhaseWork(4, Work(20))], {Work(10): 3.0})
    31.5
    """
    seconds = 0.0
    for phase in phases:
        before, epoch = (seconds_of(work, measured) for work in (phase.before, phase.epoch))
        if before is None or epoch is None:
            return None
        seconds += before + phase.epochs * epoch
    return seconds


def epoch_seconds(work: Work, training_seconds: float) -> float:
    """Return the seconds of an epoch with its validation, from those of its training steps.

    >>> epoch_seconds(Work(training=30, inference=2), 15.0)
    16.0
    """
    return training_seconds * work.total / work.training


class Pace:
    """The seconds per image of steps that were measured.

    Args:
        skipped: how many steps at the beginning do not count: TensorFlow builds its graph in them.
    """

    def __init__(self, skipped: int = 2) -> None:
        self._skipped = skipped
        self.steps = self.images = 0
        self.seconds = 0.0

    def add(self, images: int, seconds: float) -> None:
        """Count a step."""
        if self._skipped:
            self._skipped -= 1
            return
        self.steps, self.images = self.steps + 1, self.images + images
        self.seconds += seconds

    @property
    def is_known(self) -> bool:
        """Whether enough was measured: at least ten steps and two seconds."""
        return self.steps >= 10 and self.seconds >= 2

    @property
    def seconds_per_image(self) -> float | None:
        """The mean over all steps that count; None if there is none."""
        return self.seconds / self.images if self.images else None


def expected_text(
    seconds: float, seconds_per_epoch: float, *, phase: int | None, at_most: bool
) -> str:
    """Return the expected time of a training in words.

    Args:
        seconds: of the whole training.
        seconds_per_epoch: of the phase.
        phase: its number from 1; None if it is the only one.
        at_most: whether the training may end sooner, by early stopping.

    >>> expected_text(240, 18, phase=None, at_most=False)
    'about 4 min (18 s per epoch)'
    >>> expected_text(5400, 95, phase=2, at_most=True)
    'at most 1 h 30 min (2 min per epoch of phase 2)'
    """
    word = "at most" if at_most else "about"
    of_phase = "" if phase is None else f" of phase {phase}"
    each = f"{duration_text(seconds_per_epoch)} per epoch{of_phase}"
    return f"{word} {duration_text(seconds)} ({each})"
