"""The learning rate of each step of a phase: base rate, warm-up and schedule."""

from __future__ import annotations

from dataclasses import dataclass

from cnnkit import learning_rate_schedules as schedules
from cnnkit.training.history import History
from cnnkit.training.phases import Phase


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

        Warm-up multiplies the schedule, and a cosine spans the steps that are left after it.
        """
        epoch += self.phase.schedule_offset
        position = epoch * self.steps_per_epoch + step
        warmup_steps = round(self.phase.warmup_epochs * self.steps_per_epoch)
        base = self.phase.optimizer.arguments["learning_rate"]
        rising = schedules.warmup(position, warmup_steps=warmup_steps)
        return base * rising * self._factor(epoch, position - warmup_steps, warmup_steps)

    def _factor(self, epoch: int, position: int, warmup_steps: int) -> float:
        schedule = self.phase.schedule
        if schedule.name == "cosine":
            # The cosine takes the steps after the warm-up, so that it falls from the full rate.
            total = self.phase.schedule_epochs * self.steps_per_epoch - warmup_steps
            # Before its first step, in the warm-up, the position is negative.
            return schedules.cosine(max(position, 0), total_steps=total, **schedule.arguments)
        if schedule.name == "step":
            return schedules.step_decay(epoch, **schedule.arguments)
        if schedule.name == "plateau":
            return self._plateau_factor(dict(schedule.arguments))
        return 1.0

    def _plateau_factor(self, arguments: dict[str, float]) -> float:
        floor = arguments.pop("min_learning_rate")
        factor = schedules.plateau(
            self.history.phase_values, larger_is_better=self.history.larger_is_better, **arguments
        )
        base = self.phase.optimizer.arguments["learning_rate"]
        return max(factor, min(floor / base, 1.0))  # a floor above the base rate changes nothing
