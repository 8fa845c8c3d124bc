"""Read the phases of a training from its config."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnkit.config import Call, Config, TrainingConfig
from cnnkit.config.training_section import PhaseConfig, PhaseDataConfig

_FINE_TUNE_FRACTION = 0.1  # of the learning rate: trained weights must not be destroyed


@dataclass(frozen=True)
class Phase:
    """A part of a training in which the same layers learn, with every default filled in.

    Args:
        train: what learns, as in the config; a step of `gradual` has {"share": 0.5}, the share of
            the backbone's layers.
        epochs: the largest number of epochs.
        optimizer: with its learning rate.
        schedule: of the learning rate, over `schedule_epochs`; `schedule_offset` of these are over
            when the phase begins.
        warmup_epochs: in which the learning rate rises.
        patience: the phase ends after this many epochs without a better value.
        backbone_multiplier: of the learning rate, for the backbone.
        layer_decay: of the learning rate, from each layer of the backbone to the one before it.
        batch_norm: of the backbone: inference or training.
        data: other images to learn from.
    """

    train: str | Mapping[str, Any]
    epochs: int
    optimizer: Call
    schedule: Call
    warmup_epochs: float
    patience: float
    backbone_multiplier: float = 1.0
    layer_decay: float = 1.0
    batch_norm: str = "inference"
    schedule_epochs: int = 0
    schedule_offset: int = 0
    data: PhaseDataConfig | None = None

    @property
    def is_probe(self) -> bool:
        """Whether the output layer is found by logistic regression, not by gradient steps."""
        return self.train == "linear_probe"

    @property
    def backbone_learns(self) -> bool:
        """Whether any layer of the backbone changes."""
        return self.train != "head" and not self.is_probe

    @property
    def label(self) -> str:
        """What learns, in words."""
        if isinstance(self.train, str):
            return self.train.replace("_", " ")
        name, value = next(iter(self.train.items()))
        words = {
            "backbone_from": f"the backbone from {value} on",
            "last_layers": f"the last {value} layers of the backbone",
            "share": _share_text(value) if name == "share" else "",
        }
        return f"head and {words[name]}"


def _share_text(share: float) -> str:
    return f"the last {share:.0%} of the backbone's layers" if share < 1 else "all of the backbone"


def phases_of(config: Config) -> tuple[Phase, ...]:
    """Return the phases of a training: those of the config, by default a single one."""
    training = config.training
    if training.fine_tune:
        # The head first: the gradients of an untrained one would change the backbone at random.
        return (_phase(training, _HEAD), _fine_tuning(training))
    if training.phases:
        return tuple(part for phase in training.phases for part in _parts(training, phase))
    return (
        _phase(training, PhaseConfig(train="all" if config.model.backbone is None else "head")),
    )


def section_of_phase(config: Config, number: int) -> int | None:
    """Return which entry of `training.phases` a phase comes from, counted from 0.

    Args:
        config: of the training.
        number: of the phase, from 1, as in history.csv; each step of a gradual phase counts.

    Returns:
        None if the config lists no phases.
    """
    sections = [
        index
        for index, phase in enumerate(config.training.phases)
        for _ in _parts(config.training, phase)
    ]
    return sections[number - 1] if sections else None


_HEAD = PhaseConfig(train="head")


def _fine_tuning(training: TrainingConfig) -> Phase:
    call = training.optimizer
    rate = call.arguments["learning_rate"] * _FINE_TUNE_FRACTION
    optimizer = Call(call.name, {**call.arguments, "learning_rate": rate})
    return _phase(training, PhaseConfig(train="all", optimizer=optimizer))


def _phase(training: TrainingConfig, phase: PhaseConfig) -> Phase:
    stopping = phase.early_stopping or training.early_stopping
    # A probe is fitted in one go, which counts as one epoch.
    epochs = 1 if phase.train == "linear_probe" else phase.epochs or training.epochs
    warmup = training.warmup_epochs if phase.warmup_epochs is None else phase.warmup_epochs
    return Phase(
        phase.train,
        epochs,
        phase.optimizer or training.optimizer,
        phase.schedule or training.schedule,
        warmup,
        stopping.patience if stopping else math.inf,
        phase.backbone_multiplier,
        phase.layer_decay,
        phase.batch_norm,
        schedule_epochs=epochs,
        data=phase.data,
    )


def _parts(training: TrainingConfig, phase: PhaseConfig) -> Iterator[Phase]:
    """Yield the phase itself, or the steps of a gradual one; these share one schedule."""
    whole = _phase(training, phase)
    if not isinstance(phase.train, Mapping) or "gradual" not in phase.train:
        yield whole
        return
    # A step has at least one epoch.
    steps = min(phase.train["gradual"], whole.epochs)
    begin = 0
    # Rounded ends, not a fixed length: 10 epochs in 4 steps are 2, 3, 3 and 2 epochs.
    for step in range(1, steps + 1):
        end = round(step * whole.epochs / steps)
        train = {"share": step / steps}
        yield replace(whole, train=train, epochs=end - begin, schedule_offset=begin)
        begin = end
