"""One epoch of training: what happens to a batch, and in which order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cnnkit.backend import keras
from cnnkit.errors import CnnkitError
from cnnkit.model.losses import cross_entropy_of
from cnnkit.progress import Report
from cnnkit.training.checkpoint import assign, values_of
from cnnkit.training.first_batch import untrained_loss_warning
from cnnkit.training.history import NOT_FINITE, History
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.phase_features import PhaseBatches
from cnnkit.training.weight_averages import keeps_averages


def train_epoch(
    model: Any,
    batches: PhaseBatches,
    learning_rate: LearningRate,
    history: History,
    report: Report,
    stop_if_interrupted: Callable[[], None],
) -> dict[str, float]:
    """Train for one epoch, validate, and return the epoch's row of history.csv.

    Args:
        model: the compiled model that is trained: the whole one, or its head on features.
        batches: the training and validation batches of each epoch.
        learning_rate: of each step of the phase.
        history: of the epochs before this one.
        report: shows the progress after each batch.
        stop_if_interrupted: raises KeyboardInterrupt if Ctrl-C came since the last call.

    Raises:
        CnnkitError: the loss became NaN or infinite.
    """
    begin = time.perf_counter()
    epoch = len(history.rows)  # from 0, over all phases
    phase_epoch = len(history.phase_values)  # from 0 in each phase
    learned = model.trainable_variables if keeps_averages(model) else []

    # For each batch: 1. set the learning rate;
    def before_step(step: int, logs: dict | None = None) -> None:
        model.optimizer.learning_rate.assign(learning_rate.at(phase_epoch, step))

    # 2. Keras predicts, computes the loss and the gradients, and changes the weights (in `fit`);
    # 3. check the loss, show the progress, and stop if Ctrl-C came.
    def after_step(step: int, logs: dict[str, float]) -> None:
        # Keras gives the mean loss of the epoch so far, which stays NaN after one batch is.
        if not math.isfinite(logs["loss"]):
            raise CnnkitError(_not_finite(learning_rate, epoch, phase_epoch, step))
        if epoch == step == 0 and (warning := _first_loss_warning(model, logs)):
            report.note(warning)
        report.batch_done(min((step + 1) * batches.batch_size, batches.num_images), logs)
        stop_if_interrupted()

    # 4. After the last batch `fit` goes through the validation batches. We call it for one epoch
    # at a time, so that all that happens between two epochs is plain Python in loop.py.
    validation = batches.validation()
    weights: list[np.ndarray] = []
    fitted = model.fit(
        batches.training(epoch),
        epochs=1,
        validation_data=validation,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_train_batch_begin=before_step,
                on_train_batch_end=after_step,
                on_test_batch_end=lambda step, logs: stop_if_interrupted(),
                on_epoch_end=lambda epoch, logs: weights.extend(values_of(learned)),
            )
        ],
        shuffle=False,  # the batches are in the order of this epoch already
        # Keras would print its own progress on stdout, which belongs to the results.
        verbose=0,
    )
    logs = {name: values[-1] for name, values in fitted.history.items()}
    # 5. If the optimizer averages the weights, `fit` has left the averages in the model: they are
    # validated too, and the training goes on from the weights.
    if keeps_averages(model):
        if validation is not None:
            logs |= _averaged_logs(logs, model.evaluate(validation, verbose=0, return_dict=True))
        assign(learned, weights)
    return history.next_row(
        logs,
        learning_rate=learning_rate.at(phase_epoch, batches.steps - 1),
        seconds=time.perf_counter() - begin,
    )


def _averaged_logs(raw: dict[str, float], averaged: dict[str, float]) -> dict[str, float]:
    """Return the validation values of the averages, and those of the weights as `raw_val_...`."""
    beside = {f"raw_{name}": value for name, value in raw.items() if name.startswith("val_")}
    return {**{f"val_{name}": value for name, value in averaged.items()}, **beside}


def _first_loss_warning(model: Any, logs: dict[str, float]) -> str:
    # Keras computes the loss of a step before it changes the weights. Mixed images and dropout are
    # part of it, which hardly matters for an untrained network.
    return untrained_loss_warning(cross_entropy_of(logs), model.output_shape[-1])


def _not_finite(learning_rate: LearningRate, epoch: int, phase_epoch: int, step: int) -> str:
    value = f"{learning_rate.at(phase_epoch, step):g}"
    return (
        f"{NOT_FINITE} in epoch {epoch + 1} at step {step + 1} (learning rate "
        f"{value}). Lower the learning_rate of {learning_rate.phase.optimizer.name}, or add "
        "clipnorm: 1.0 to its arguments."
    )
