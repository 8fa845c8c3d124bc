"""The learning rate of each step of a phase: base rate, warm-up and schedule."""

from __future__ import annotations

from dataclasses import dataclass

from cnnkit import learning_rate_schedules as schedules
from cnnkit.training.history import History
from cnnkit.training.phases import Phase

# Schedules by what they depend on: the step and how many there are; the epochs since the warm-up,
# which may be a fraction; the number of the epoch.
_OVER_ALL_STEPS = {
    "cosine": schedules.cosine,
    "one_cycle": schedules.one_cycle,
    "polynomial": schedules.polynomial,
}
_OF_POSITION = {
    "cosine_restarts": schedules.cosine_restarts,
    "exponential": schedules.exponential,
    "inverse_time": schedules.inverse_time,
}
_OF_EPOCH = {
    "step": schedules.step_decay,
    "piecewise_constant": schedules.piecewise_constant,
}


@dataclass(frozen=True)
class LearningRate:
    """The learning rate as a function of the epoch, the step in it, and the finished epochs.

    Args:
        phase: whose optimizer, schedule and warm-up are used.
        steps_per_epoch: number of batches in an epoch.
        history: of the training; a plateau schedule looks at it.
    """

    phase: Phase
    steps_per_epoch: int
    history: History

    def at(self, epoch: int, step: int) -> float:
        """Return the learning rate of a step; epochs and steps count from 0 in each phase.

        Warm-up multiplies the schedule, which spans the steps that are left after it.
        """
        epoch += self.phase.schedule_offset
        position = epoch * self.steps_per_epoch + step
        warmup_steps = round(self.phase.warmup_epochs * self.steps_per_epoch)
        base = self.phase.optimizer.arguments["learning_rate"]
        rising = schedules.warmup(position, warmup_steps=warmup_steps)
        return base * rising * self._factor(epoch, position - warmup_steps, warmup_steps)

    def _factor(self, epoch: int, position: int, warmup_steps: int) -> float:
        schedule = self.phase.schedule
        # Before the first step of the schedule, in the warm-up, the position is negative.
        position = max(position, 0)
        if function := _OVER_ALL_STEPS.get(schedule.name):
            # The schedule takes the steps after the warm-up, so that it falls from the full rate.
            total = self.phase.schedule_epochs * self.steps_per_epoch - warmup_steps
            return function(position, total_steps=total, **schedule.arguments)
        if function := _OF_POSITION.get(schedule.name):
            return function(position / self.steps_per_epoch, **schedule.arguments)
        if function := _OF_EPOCH.get(schedule.name):
            return function(epoch, **schedule.arguments)
        return self._plateau_factor(dict(schedule.arguments)) if schedule.name == "plateau" else 1.0

    def _plateau_factor(self, arguments: dict[str, float]) -> float:
        floor = arguments.pop("min_learning_rate")
        factor = schedules.plateau(
            self.history.phase_values, larger_is_better=self.history.larger_is_better, **arguments
        )
        base = self.phase.optimizer.arguments["learning_rate"]
        return max(factor, min(floor / base, 1.0))  # a floor above the base rate changes nothing
