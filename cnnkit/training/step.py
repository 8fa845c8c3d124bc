"""A phase enters; what learns in it leaves: the whole model, its head alone, or a linear probe."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.backend import keras
from cnnkit.config import Config
from cnnkit.errors import CnnkitError
from cnnkit.model.build_model import build_optimizer, compile_model
from cnnkit.progress import Report
from cnnkit.training.backup import assign
from cnnkit.training.feature_batches import FeatureFeed, LoopFeed, split_model
from cnnkit.training.image_batches import Feed
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.phases import Phase, backbone_of, rate_multiples, set_trainable
from cnnkit.training.probe import fit_probe

_MOST_DIFFERENCE = 1e-3  # of a probability; rounding gives some 1e-6


@dataclass(frozen=True)
class Learner:
    """A compiled model and the batches that it learns from."""

    model: Any
    feed: Feed | FeatureFeed | LoopFeed

    def describe(self) -> str:
        """Return how many numbers learn."""
        learn = sum(math.prod(variable.shape) for variable in self.model.trainable_variables)
        return f"{learn:,} parameters learn{self.feed.words}"

    def restore_optimizer(self, values: Sequence[np.ndarray]) -> None:
        """Let the optimizer go on from its state.

        Raises:
            CnnkitError: that is of another model.
        """
        self.model.optimizer.build(self.model.trainable_variables)
        assign(self.model.optimizer.variables, values)

    def check_features(self, model: Any) -> float:
        """Return how far the whole model is from its head on kept features.

        Raises:
            CnnkitError: further than rounding explains.
        """
        difference = self.feed.difference(model, self.model)
        if not difference <= _MOST_DIFFERENCE:
            raise CnnkitError(
                f"The kept features give other probabilities than the whole model does (by up to "
                f"{difference:.2g}): the run is of no use. Remove them with cnnkit cache clear, "
                "or set training.feature_cache: false, and train again."
            )
        return difference

    def last_rate(self, learning_rate: LearningRate, epoch: int) -> float:
        """Return the learning rate of the last step of an epoch of the phase."""
        return learning_rate.at(epoch, self.feed.steps - 1)

    def learn(
        self,
        past: int,
        epoch: int,
        learning_rate: LearningRate,
        report: Report,
        interrupt_if_asked: Callable[[], None],
    ) -> dict[str, float]:
        """Run one epoch and return its losses and accuracies.

        Args:
            past: epochs of the training before it.
            epoch: epochs of the phase before it.
            learning_rate: of the phase.
            report: is told of each batch.
            interrupt_if_asked: called behind each batch.

        Raises:
            CnnkitError: the loss is no number any more.
        """
        batch_size, model = self.feed.config.data.batch_size, self.model

        def before(step: int, logs: dict | None = None) -> None:
            model.optimizer.learning_rate.assign(learning_rate.at(epoch, step))

        def after(step: int, logs: dict[str, float]) -> None:
            if not math.isfinite(logs["loss"]):
                raise CnnkitError(_not_finite(learning_rate, past, epoch, step))
            report.batch_done(min((step + 1) * batch_size, self.feed.num_images), logs)
            interrupt_if_asked()

        callback = keras.callbacks.LambdaCallback(
            on_train_batch_begin=before,
            on_train_batch_end=after,
            on_test_batch_end=lambda step, logs: interrupt_if_asked(),
        )
        fitted = model.fit(
            self.feed.training(past),
            epochs=1,
            validation_data=self.feed.validation(),
            callbacks=[callback],
            shuffle=False,
            verbose=0,
        )
        return {name: float(values[-1]) for name, values in fitted.history.items()}


@dataclass(frozen=True)
class Probe(Learner):
    """A head whose output layer is found by logistic regression, in one step."""

    def last_rate(self, learning_rate: LearningRate, epoch: int) -> float:
        """Return 0: no step is taken."""
        return 0.0

    def learn(
        self,
        past: int,
        epoch: int,
        learning_rate: LearningRate,
        report: Report,
        interrupt_if_asked: Callable[[], None],
    ) -> dict[str, float]:
        """Fit the output layer and return the losses and accuracies with it."""
        fit_probe(self.model, self.feed, report, interrupt_if_asked)
        training = self.model.evaluate(self.feed.in_order(), verbose=0, return_dict=True)
        logs = dict(training)
        validation = self.feed.validation()
        if validation is not None:
            found = self.model.evaluate(validation, verbose=0, return_dict=True)
            logs |= {f"val_{name}": value for name, value in found.items()}
        return {name: float(value) for name, value in logs.items()}


def learner_of(model: Any, config: Config, phase: Phase, feed: Feed, report: Report) -> Learner:
    """Return what learns in a phase, its optimizer new.

    Where the backbone does not learn, its features are computed here, unless they are kept.

    Raises:
        UsageError: the phase does not fit the model.
    """
    set_trainable(model, phase)
    if backbone_of(model) is not None and not phase.backbone_learns:
        is_probe = phase.train == "linear_probe"
        extractor, head = split_model(model, before_output=is_probe)
        compile_model(head, config, build_optimizer(phase.optimizer))
        if not keeps_features(model, config, phase):
            return Learner(head, LoopFeed(feed, extractor))
        return (Probe if is_probe else Learner)(head, FeatureFeed(feed, extractor, report))
    optimizer = build_optimizer(phase.optimizer, rate_multiples(model, phase))
    compile_model(model, config, optimizer)
    return Learner(model, feed)


def keeps_features(model: Any, config: Config, phase: Phase) -> bool:
    """Tell whether a phase learns from features that are computed once."""
    frozen = backbone_of(model) is not None and not phase.backbone_learns
    return frozen and (phase.train == "linear_probe" or config.training.feature_cache)


def _not_finite(learning_rate: LearningRate, past: int, epoch: int, step: int) -> str:
    now = f"{learning_rate.at(epoch, step):g}"
    return (
        f"The loss became NaN or infinite in epoch {past + 1} at step {step + 1} (learning rate "
        f"{now}). Lower the learning_rate of {learning_rate.phase.optimizer.name}, or set "
        "clipnorm: 1.0 beside it."
    )
