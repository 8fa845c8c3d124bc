"""Watch the steps and epochs of a training, and report how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from statistics import mean

from cnnkit.progress import Advance, Report
from cnnkit.text import duration_text
from cnnkit.training.time_left import (
    Pace,
    PhaseWork,
    Work,
    epoch_seconds,
    expected_text,
    seconds_left,
)

_SHORTEST_SECONDS = 30  # a shorter training is over before anybody plans with its time
_WRONG_BY = 1.5  # an expected time is corrected if it is wrong by this factor
# In the first epoch of a phase TensorFlow builds its graphs, which takes some seconds. It counts as
# a full epoch only if these do not matter.
_LONG_EPOCH_SECONDS = 30
_RECENT_EPOCHS = 3  # of which the mean is taken: the machine may become slower or faster


class TimedReport(Report):
    """Passes all events on to another report, and adds the time that is left.

    After some steps it notes how long the training will take, and after the first full epoch of a
    phase it corrects that if it was wrong.

    Args:
        report: gets the events.
        phases: the work of all phases.
        is_resumed: whether only the rest of a training is done.
    """

    def __init__(self, report: Report, phases: Sequence[PhaseWork], *, is_resumed: bool) -> None:
        self._report, self._phases, self._is_resumed = report, phases, is_resumed
        self._begin = time.perf_counter()
        self._measured: dict[Work, float] = {}
        self._noted: float | None = None  # the expected seconds that were noted last
        self.phase_begins(1, 0, None)

    def phase_begins(
        self, number: int, epochs_done: int, features: float | None, *, in_epoch: bool = False
    ) -> None:
        """Begin to measure a phase.

        Args:
            number: of the phase, from 1.
            epochs_done: before the training was resumed.
            features: the seconds of computing all its features; None if there are none, or if they
                were in the cache.
            in_epoch: whether the first epoch is the rest of one, whose time tells little.
        """
        self._number, self._phase = number, self._phases[number - 1]
        if features is not None:
            self._measured[self._phase.before] = features
        self._pace = Pace()
        self._full_epochs: list[float] = []  # their seconds
        self._is_first_epoch, self._is_rest = True, in_epoch
        self._epochs_done, self._fraction = epochs_done, 0.0  # of the epoch that goes on

    def note(self, text: str) -> None:
        """Pass the sentence on."""
        self._report.note(text)

    def counting(self, what: str) -> AbstractContextManager[Advance]:
        """Pass it on."""
        return self._report.counting(what)

    def epoch_begins(self, epoch: int, epochs: int, num_images: int) -> None:
        """Start the clock of the epoch."""
        self._epoch_begin = self._step_begin = time.perf_counter()
        self._images_done, self._num_images = 0, num_images
        self._report.epoch_begins(epoch, epochs, num_images)

    def batch_done(self, images_done: int, logs: Mapping[str, float]) -> None:
        """Measure the step, and pass on how much is left after it."""
        now = time.perf_counter()
        if self._images_done:  # the first step also waits until the first images are read
            self._count_step(images_done - self._images_done, now - self._step_begin)
        self._images_done, self._step_begin = images_done, now
        self._fraction = images_done / self._num_images
        self._pass_on_left()
        self._report.batch_done(images_done, logs)

    def epoch_done(self, row: Mapping[str, float], *, is_best: bool) -> None:
        """Measure the epoch, with saving its weights, and pass on how much is left after it."""
        seconds = time.perf_counter() - self._epoch_begin
        self._epochs_done, self._fraction = self._epochs_done + 1, 0.0
        is_probe = not self._images_done  # its time says nothing about other phases
        is_full = not self._is_first_epoch or seconds >= _LONG_EPOCH_SECONDS
        is_full = is_full and not self._is_rest
        self._is_first_epoch = self._is_rest = False
        if is_full and not is_probe:
            self._full_epochs.append(seconds)
            self._measured[self._phase.epoch] = mean(self._full_epochs[-_RECENT_EPOCHS:])
        self._pass_on_left()
        self._report.epoch_done(row, is_best=is_best)
        if len(self._full_epochs) == 1 and is_full:
            self._note_expected()

    def close(self) -> None:
        """Pass it on."""
        self._report.close()

    def _count_step(self, images: int, seconds: float) -> None:
        was_known = self._pace.is_known
        self._pace.add(images, seconds)
        # Full epochs are better known: they have the validation and the saving of weights.
        if not self._pace.is_known or self._full_epochs:
            return
        epoch = self._phase.epoch
        training = self._num_images * (self._pace.seconds_per_image or 0.0)
        self._measured[epoch] = epoch_seconds(epoch, training)
        if not was_known:
            self._note_expected()

    @property
    def _left(self) -> float | None:
        epoch = self._phase.epoch
        done = self._epochs_done + self._fraction * epoch.training / epoch.total
        rest = replace(self._phase, epochs=self._phase.epochs - done, before=Work(0))
        return seconds_left([rest, *self._phases[self._number :]], self._measured)

    @property
    def _may_stop_early(self) -> bool:
        return any(phase.may_stop_early for phase in self._phases[self._number - 1 :])

    def _pass_on_left(self) -> None:
        self._report.time_left(self._left, at_most=self._may_stop_early)

    def _note_expected(self) -> None:
        """Note the expected time, or the right one if another was noted before."""
        left = self._left
        if left is None:
            return
        past = time.perf_counter() - self._begin
        seconds = past + left
        if self._noted is None:
            if seconds < _SHORTEST_SECONDS:
                return
            instead = ""
        elif max(seconds, self._noted) > _WRONG_BY * min(seconds, self._noted):
            before = self._noted - past if self._is_resumed else self._noted
            instead = f", not {duration_text(max(0, before))}"
        else:
            return
        self._noted = seconds
        expected = expected_text(
            left if self._is_resumed else seconds,
            self._measured[self._phase.epoch],
            phase=self._number if len(self._phases) > 1 else None,
            at_most=self._may_stop_early,
        )
        what = "The rest of this training" if self._is_resumed else "This training"
        self._report.note(f"{what} will take {expected}{instead}.")
