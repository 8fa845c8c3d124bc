"""The `training` section enters; its phases leave, and what learns in each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnkit.backend import keras
from cnnkit.config import Call, Config, TrainingConfig
from cnnkit.config.training_section import PhaseConfig, PhaseDataConfig
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.model.backbones.hub.hub_module import HubModule
from cnnkit.model.backbones.own_models import layers_of

_FINE_TUNE_FRACTION = 0.1  # of the learning rate


@dataclass(frozen=True)
class Phase:
    """A part of a training in which the same layers learn.

    Args:
        train: as in the config; of `gradual`, the share of the layers as {"share": 0.5}.
        epochs: at most.
        optimizer: with its learning rate.
        schedule: of the learning rate, over `schedule_epochs`, of which `schedule_offset` are past.
        warmup_epochs: in which the learning rate rises.
        patience: epochs without a better value after which the phase ends.
        backbone_multiplier: of the learning rate.
        layer_decay: of the learning rate, from layer to layer.
        batch_norm: inference or training.
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
    def backbone_learns(self) -> bool:
        """Whether any layer of the backbone changes."""
        return self.train not in ("head", "linear_probe")

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
    """Return the phases of a training; one, where nothing else is said."""
    training = config.training
    if training.fine_tune:
        return (_phase(training, _HEAD), _fine_tuning(training))
    if training.phases:
        return tuple(part for phase in training.phases for part in _parts(training, phase))
    return (
        _phase(training, PhaseConfig(train="all" if config.model.backbone is None else "head")),
    )


_HEAD = PhaseConfig(train="head")


def _fine_tuning(training: TrainingConfig) -> Phase:
    call = training.optimizer
    rate = call.arguments["learning_rate"] * _FINE_TUNE_FRACTION
    optimizer = Call(call.name, {**call.arguments, "learning_rate": rate})
    return _phase(training, PhaseConfig(train="all", optimizer=optimizer))


def _phase(training: TrainingConfig, phase: PhaseConfig) -> Phase:
    stopping = phase.early_stopping or training.early_stopping
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
    """Yield the phase, or the steps of a gradual one, which share one schedule."""
    whole = _phase(training, phase)
    if not isinstance(phase.train, Mapping) or "gradual" not in phase.train:
        yield whole
        return
    steps = min(phase.train["gradual"], whole.epochs)
    begin = 0
    for step in range(1, steps + 1):
        end = round(step * whole.epochs / steps)
        train = {"share": step / steps}
        yield replace(whole, train=train, epochs=end - begin, schedule_offset=begin)
        begin = end


def set_trainable(model: Any, phase: Phase) -> None:
    """Let the layers of a phase learn, and no others. A layer without weights does not count.

    Where averages are to stay, layers of batch normalisation in the backbone do not learn at all:
    that alone lets them run as in inference, see `cnnkit.model.build_model`.

    Raises:
        UsageError: the backbone has no such layer.
    """
    backbone = backbone_of(model)
    if backbone is None:
        return
    backbone.trainable = phase.backbone_learns
    if not phase.backbone_learns:
        return
    layers = [layer for layer in layers_of(backbone) if layer.weights or _is_named(phase, layer)]
    first = _first_that_learns(phase, layers)
    for position, layer in enumerate(layers):
        is_still = phase.batch_norm == "inference" and isinstance(
            layer, keras.layers.BatchNormalization
        )
        layer.trainable = position >= first and not is_still
        if isinstance(layer, HubModule):
            layer.batch_norm = phase.batch_norm


def _is_named(phase: Phase, layer: Any) -> bool:
    return isinstance(phase.train, Mapping) and layer.name == phase.train.get("backbone_from")


def _first_that_learns(phase: Phase, layers: list[Any]) -> int:
    if phase.train == "all":
        return 0
    kind, value = next(iter(phase.train.items()))
    if kind == "last_layers":
        if value > len(layers):
            raise UsageError(
                f"training.phases: last_layers: {value}, but the backbone has {len(layers)} layers "
                "with weights. Set that or fewer, or train: all."
            )
        return len(layers) - value
    if kind == "share":
        return len(layers) - math.ceil(value * len(layers))
    names = [layer.name for layer in layers]
    if value not in names:
        raise UsageError(
            f"training.phases: the backbone has no layer {value}.{did_you_mean(value, names)} Its "
            f"layers with weights end with {', '.join(names[-10:])}."
        )
    return names.index(value)


def backbone_of(model: Any) -> Any:
    """Return the backbone of a model, None where it has none."""
    return next((layer for layer in model.layers if layer.name == "backbone"), None)


def rate_multiples(model: Any, phase: Phase) -> dict[str, float]:
    """Return by the path of a variable the multiple of the learning rate, where it is not 1."""
    backbone = backbone_of(model)
    if backbone is None or (phase.backbone_multiplier, phase.layer_decay) == (1, 1):
        return {}
    layers = [layer for layer in layers_of(backbone) if layer.weights]
    return {
        variable.path: phase.backbone_multiplier * phase.layer_decay**depth
        for depth, layer in enumerate(reversed(layers))
        for variable in layer.trainable_variables
    }
