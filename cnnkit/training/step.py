"""One epoch of training: what happens to a batch, and in which order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnnkit.backend import keras
from cnnkit.errors import CnnkitError
from cnnkit.model.losses import cross_entropy_of
from cnnkit.progress import Report
from cnnkit.training.checkpoint import all_finite, assign, values_of
from cnnkit.training.first_batch import untrained_loss_warning
from cnnkit.training.history import NOT_FINITE, History
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.partial_epoch import PartialEpoch
from cnnkit.training.phase_features import PhaseBatches
from cnnkit.training.stops import Stops
from cnnkit.training.weight_averages import keeps_averages


def train_epoch(
    model: Any,
    batches: PhaseBatches,
    learning_rate: LearningRate,
    history: History,
    report: Report,
    stops: Stops,
    partial: PartialEpoch | None = None,
) -> dict[str, float]:
    """Train for one epoch, validate, and return the epoch's row of history.csv.

    Args:
        model: the compiled model that is trained: the whole one, or its head on features.
        batches: the training and validation batches of each epoch.
        learning_rate: of each step of the phase.
        history: of the epochs before this one.
        report: shows the progress after each batch.
        stops: may save the epoch so far between two steps, and end it.
        partial: if a resumed training goes on in the middle of the epoch.

    Raises:
        CnnkitError: the loss or a weight became NaN or infinite.
        KeyboardInterrupt: a signal came; the epoch so far is saved.
        TimeIsUpError: the time is up; the epoch so far is saved.
    """
    epoch = _Epoch(model, batches, learning_rate, history, report, stops, partial)
    if partial and partial.steps(batches.batch_size) >= batches.steps:
        logs = dict(partial.logs)  # it was stopped in the validation
    else:
        logs = epoch.fit()
    logs |= epoch.validate(logs)
    return history.next_row(
        logs,
        learning_rate=learning_rate.at(len(history.phase_values), batches.steps - 1),
        seconds=epoch.seconds,
    )


class _Epoch:
    """The parts of an epoch. The arguments are those of `train_epoch`."""

    def __init__(
        self,
        model: Any,
        batches: PhaseBatches,
        learning_rate: LearningRate,
        history: History,
        report: Report,
        stops: Stops,
        partial: PartialEpoch | None,
    ) -> None:
        self._model, self._batches, self._learning_rate = model, batches, learning_rate
        self._history, self._report, self._stops = history, report, stops
        self._partial = partial
        self._number = len(history.rows)  # from 0, over all phases
        self._begin = time.perf_counter() - (partial.seconds if partial else 0.0)

    @property
    def seconds(self) -> float:
        """How long the epoch has taken so far."""
        return time.perf_counter() - self._begin

    def fit(self) -> dict[str, float]:
        """Learn from the training batches, or the rest of them, and return Keras's logs."""
        model, batches, partial = self._model, self._batches, self._partial
        first = partial.steps(batches.batch_size) if partial else 0
        phase_epoch = len(self._history.phase_values)  # from 0 in each phase
        learned = model.trainable_variables
        weights: list[np.ndarray] = []
        if partial:
            # Keras makes the variables of its metrics only when it sees a batch.
            model.evaluate(batches.training(self._number).take(1), verbose=0)

        def begin(_: int, logs: dict | None = None) -> None:
            if partial:  # Keras has just set them to zero
                assign(model.metrics_variables, partial.metrics)

        # For each batch: 1. set the learning rate;
        def before_step(step: int, logs: dict | None = None) -> None:
            rate = self._learning_rate.at(phase_epoch, first + step)
            model.optimizer.learning_rate.assign(rate)

        # 2. Keras predicts, computes the loss and the gradients, and changes the weights (in
        # `fit`); 3. check the loss, show the progress, and save or stop if it is time for that.
        def after_step(step: int, logs: dict[str, float]) -> None:
            done = first + step + 1
            # Keras gives the mean loss of the epoch so far, which stays NaN after one batch is.
            if not math.isfinite(logs["loss"]):
                raise self._not_finite("loss", done)
            if self._number == 0 and done == 1 and (warning := _first_loss_warning(model, logs)):
                self._report.note(warning)
            self._report.batch_done(min(done * batches.batch_size, batches.num_images), logs)
            self._stops.after_step(lambda: self._so_far(done, logs, model.metrics_variables))

        # `fit` is called for one epoch at a time, so that all that happens between two epochs is
        # plain Python in loop.py.
        fitted = model.fit(
            batches.training(self._number, first),
            epochs=1,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=begin,
                    on_train_batch_begin=before_step,
                    on_train_batch_end=after_step,
                    on_epoch_end=lambda epoch, logs: weights.extend(values_of(learned)),
                )
            ],
            shuffle=False,  # the batches are in the order of this epoch already
            # Keras would print its own progress on stdout, which belongs to the results.
            verbose=0,
        )
        if not all_finite(weights):  # after the last step, no loss would tell
            raise self._not_finite("weights", batches.steps)
        if keeps_averages(model):  # `fit` has left the averages in the model
            assign(learned, weights)
        return {name: values[-1] for name, values in fitted.history.items()}

    def validate(self, trained: dict[str, float]) -> dict[str, float]:
        """Return the logs of the validation batches as `val_...`; nothing if there are none.

        If the optimizer averages the weights, they are those of the averages, and those of the
        weights themselves are there as `raw_val_...`.

        Args:
            trained: the logs of the training batches.
        """
        model, validation = self._model, self._batches.validation()
        if validation is None:
            return {}

        def so_far() -> PartialEpoch:
            return self._so_far(self._batches.steps, trained, [])

        logs = _evaluate(model, validation, lambda: self._stops.in_validation(so_far))
        if not math.isfinite(logs["plain_loss"]):
            raise self._not_finite("loss", None)
        if not keeps_averages(model):
            return {f"val_{name}": value for name, value in logs.items()}
        learned = model.trainable_variables
        weights = values_of(learned)

        def with_weights() -> PartialEpoch:
            assign(learned, weights)  # what is saved are not the averages
            return so_far()

        model.optimizer.finalize_variable_values(learned)
        averaged = _evaluate(model, validation, lambda: self._stops.in_validation(with_weights))
        assign(learned, weights)
        beside = {f"raw_val_{name}": value for name, value in logs.items()}
        return {**{f"val_{name}": value for name, value in averaged.items()}, **beside}

    def _so_far(self, steps: int, logs: dict[str, float], metrics: Sequence[Any]) -> PartialEpoch:
        batches = self._batches
        return PartialEpoch(
            phase=self._history.phase,
            epoch=self._number + 1,
            images=min(steps * batches.batch_size, batches.num_images),
            num_images=batches.num_images,
            seconds=self.seconds,
            logs={name: float(value) for name, value in logs.items()},
            metrics=values_of(metrics),
        )

    def _not_finite(self, what: str, step: int | None) -> CnnkitError:
        """Return the error of a loss or of weights that became NaN.

        Args:
            what: became so.
            step: after which, from 1; None in the validation.
        """
        phase_epoch, last = len(self._history.phase_values), self._batches.steps
        rate = self._learning_rate.at(phase_epoch, (step or last) - 1)
        where = f"at step {step}" if step else "on the validation images"
        return CnnkitError(
            f"The {what} {NOT_FINITE} in epoch {self._number + 1} {where} (learning rate "
            f"{rate:g}). Lower the learning_rate of {self._learning_rate.phase.optimizer.name}, or "
            "add clipnorm: 1.0 to its arguments."
        )


def _evaluate(model: Any, validation: Any, stop: Callable[[], None]) -> dict[str, float]:
    callback = keras.callbacks.LambdaCallback(on_test_batch_end=lambda step, logs: stop())
    return model.evaluate(validation, verbose=0, return_dict=True, callbacks=[callback])


def _first_loss_warning(model: Any, logs: dict[str, float]) -> str:
    # Keras computes the loss of a step before it changes the weights. Mixed images and dropout are
    # part of it, which hardly matters for an untrained network.
    return untrained_loss_warning(cross_entropy_of(logs), model.output_shape[-1])
