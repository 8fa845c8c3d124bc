"""Find a learning rate: let it rise step by step, and watch when the loss falls.

Source: Smith 2015, arXiv:1506.01186, section 3.3. Where to look is our own choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.config import Call, Config
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.memory import explaining_lack_of_memory
from cnnkit.progress import Report
from cnnkit.training.interrupts import interrupts_held_back
from cnnkit.training.linear_probe import fit_probe
from cnnkit.training.phase_features import CachedFeatureBatches, PhaseBatches
from cnnkit.training.plan import Plan, PlannedPhase, prepare

LOWEST, HIGHEST = 1e-6, 10.0
STEPS_PER_DECADE = 20
_NUM_STEPS = round(STEPS_PER_DECADE * math.log10(HIGHEST / LOWEST)) + 1
_SMOOTHING = 0.9  # of the exponential moving average of the loss
_DIVERGED = 3.0  # the test ends when the loss is so many times its smallest value
_LEAST_FALL = 0.05  # of the loss; less than that is noise
_EDGE = 0.1  # shares of the fall at its beginning and end that are left out


@dataclass(frozen=True)
class LearningRateRange:
    """The loss while the learning rate rises.

    Args:
        optimizer: of the config.
        learning_rates: (steps,) of each step.
        losses: (steps,) of its batch, before the step.
        smoothed: (steps,) the losses, as a moving average.
        fall: the learning rates between which the loss falls; None if it never falls clearly.
    """

    optimizer: Call
    learning_rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    fall: tuple[float, float] | None

    @property
    def suggestion(self) -> float | None:
        """The middle of the fall on a logarithmic axis, with two digits."""
        return None if self.fall is None else float(f"{math.sqrt(math.prod(self.fall)):.2g}")

    def as_dict(self) -> dict[str, Any]:
        """Return what `lr-find --json` prints."""
        return {
            "suggestion": self.suggestion,
            "config": self._config_line(),
            "learning_rates": [float(f"{rate:.4g}") for rate in self.learning_rates],
            "losses": [float(f"{loss:.5g}") for loss in self.losses],
        }

    def text(self) -> str:
        """Return the suggestion and the option that sets it."""
        if self.fall is None:
            return (
                "The loss did not fall clearly at any learning rate up to "
                f"{self.learning_rates[-1]:.2g}, so there is no suggestion. Check the network with "
                "cnnkit train CONFIG --dry-run."
            )
        return (
            f"The loss falls at learning rates from {self.fall[0]:.2g} to {self.fall[1]:.2g}. "
            f"Try {self.suggestion:g}, in the middle:\n"
            f"--set {self._config_line()}"
        )

    def _config_line(self) -> str | None:
        if self.suggestion is None:
            return None
        return f"training.optimizer.{self.optimizer.name}.learning_rate={self.suggestion:g}"


def find_learning_rate(config: Config, report: Report) -> LearningRateRange:
    """Train with a learning rate that rises from 1e-6 to 10, and see when the loss falls.

    Each step takes the next training batch. It ends early when the loss has risen far above its
    smallest value. No run is written.

    Args:
        config: of the training; its first phase with steps is tried, after a linear probe if that
            comes first.
        report: shows the progress.

    Raises:
        CnnkitError: the data or the model cannot be trained as they are.
        KeyboardInterrupt: Ctrl-C.
    """
    plan = prepare(config, report)
    planned, model, batches = _started(plan, report)
    rates, losses = [], []
    with (
        explaining_lack_of_memory(lambda: "Lower data.batch_size."),
        interrupts_held_back() as stop_if_interrupted,
        report.counting("trying learning rates") as progress,
    ):
        for step, batch in zip(range(_NUM_STEPS), _endless(batches), strict=False):
            stop_if_interrupted()
            rate = LOWEST * 10 ** (step / STEPS_PER_DECADE)
            loss = _loss_of_step(model, batch, rate)
            if not math.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            progress(step + 1, _NUM_STEPS)
            if _has_diverged(losses):
                break
    if not losses:
        raise CnnkitError(
            "The loss is NaN or infinite before the first step. `cnnkit train CONFIG --dry-run` "
            "checks the network."
        )
    smoothed = smoothed_losses(np.array(losses))
    return LearningRateRange(
        planned.phase.optimizer,
        np.array(rates),
        np.array(losses),
        smoothed,
        falling_range(np.array(rates), smoothed),
    )


def _started(plan: Plan, report: Report) -> tuple[PlannedPhase, Any, PhaseBatches]:
    """Return the first phase that takes steps, what it trains, and its batches."""
    for planned in plan.phases:
        model, batches = planned.start(plan.model, report)
        if not (planned.phase.is_probe and isinstance(batches, CachedFeatureBatches)):
            return planned, model, batches
        fit_probe(model, batches, report, lambda: None)
    raise UsageError(
        "The only phase of this training is a linear probe, which has no learning rate. Give a "
        "config with another phase."
    )


def _endless(batches: PhaseBatches) -> Iterator[Any]:
    epoch = 0
    while True:
        yield from batches.training(epoch)
        epoch += 1


def _loss_of_step(model: Any, batch: Any, rate: float) -> float:
    """Take a step, and return the loss of the batch before it."""
    model.optimizer.learning_rate.assign(rate)
    model.reset_metrics()  # otherwise Keras gives the mean over all steps
    return float(model.train_on_batch(*batch, return_dict=True)["loss"])


def _has_diverged(losses: list[float]) -> bool:
    smoothed = smoothed_losses(np.array(losses))
    return bool(smoothed[-1] > _DIVERGED * smoothed.min() and losses[-1] > losses[0])


def smoothed_losses(losses: np.ndarray) -> np.ndarray:
    """Return the exponential moving average (steps,) of losses, corrected for its beginning.

    >>> smoothed_losses(np.array([2.0, 2.0])).tolist()
    [2.0, 2.0]
    """
    average, result = 0.0, []
    for step, loss in enumerate(losses, 1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * float(loss)
        result.append(average / (1 - _SMOOTHING**step))
    return np.array(result)


def falling_range(rates: np.ndarray, smoothed: np.ndarray) -> tuple[float, float] | None:
    """Return the learning rates between which the loss falls; None if it does not fall clearly.

    The first and the last tenth of the fall are left out: the loss is too noisy there to tell where
    it begins and ends.

    Args:
        rates: (steps,) rising by equal factors.
        smoothed: (steps,) the smoothed loss.
    """
    early, later = smoothed[:STEPS_PER_DECADE], smoothed[STEPS_PER_DECADE:]
    before = float(np.median(early))  # nothing is learned in the first decade
    if not len(later) or before - later.min() < _LEAST_FALL * before:
        return None
    lowest = STEPS_PER_DECADE + int(np.argmin(later))
    fall = before - smoothed[lowest]
    above = np.flatnonzero(smoothed[:lowest] > before - _EDGE * fall)
    begin = int(above[-1]) if len(above) else 0
    below = np.flatnonzero(smoothed[begin : lowest + 1] <= smoothed[lowest] + _EDGE * fall)
    return float(rates[begin]), float(rates[begin + below[0]])
