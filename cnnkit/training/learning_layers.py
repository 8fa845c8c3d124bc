"""Decide which layers of a backbone learn in a phase, and at which learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnkit.backend import keras
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.model.backbones.hub.hub_module import HubModule
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.training.phases import Phase


@dataclass(frozen=True)
class LearningLayers:
    """The layers of a backbone that learn in a phase.

    Args:
        phase: the phase.
        backbone: the model inside the model; None if there is none, and everything learns.
        layers: the layers of the backbone that count, from the input to the output: those that
            have weights.
        learns: whether each of these layers learns.
    """

    phase: Phase
    backbone: Any
    layers: tuple[Any, ...]
    learns: tuple[bool, ...]

    def set_trainable(self) -> None:
        """Make these layers of the backbone trainable, and no others."""
        if self.backbone is None:
            return
        self.backbone.trainable = self.phase.backbone_learns
        if not self.phase.backbone_learns:
            return
        for layer, learns in zip(self.layers, self.learns, strict=True):
            layer.trainable = learns
            if isinstance(layer, HubModule):
                layer.batch_norm = self.phase.batch_norm

    def rate_multiples(self) -> dict[str, float]:
        """Return by the path of a variable the multiple of the learning rate, if any is not 1."""
        phase = self.phase
        # The depth counts from the end: the last layer of the backbone is next to the head.
        if self.backbone is None or (phase.backbone_multiplier, phase.layer_decay) == (1, 1):
            return {}
        with_weights = [
            (layer, learns)
            for layer, learns in zip(self.layers, self.learns, strict=True)
            if layer.weights
        ]
        return {
            variable.path: phase.backbone_multiplier * phase.layer_decay**depth
            for depth, (layer, learns) in enumerate(reversed(with_weights))
            if learns
            for variable in layer.weights
        }


def learning_layers(model: Any, phase: Phase) -> LearningLayers:
    """Return which layers learn in a phase; the model is not changed.

    If the averages of batch normalisation are to stay, these layers do not learn at all: only that
    makes Keras run them as in inference, see `cnnkit.model.build_model`.

    Args:
        model: the whole model.
        phase: the phase.

    Raises:
        UsageError: the backbone has no such layer, or cannot learn.
    """
    backbone = backbone_of(model)
    # Without a backbone all layers learn; with one that does not learn, only the head does.
    if backbone is None or not phase.backbone_learns:
        return LearningLayers(phase, backbone, (), ())
    # A layer without weights does not count, unless the phase begins with it.
    layers = [layer for layer in layers_of(backbone) if layer.weights or _is_named(phase, layer)]
    first = _first_that_learns(phase, layers)
    learns = [
        position >= first and not _keeps(phase, layer) for position, layer in enumerate(layers)
    ]
    for layer in layers_of(backbone):
        if isinstance(layer, HubModule):
            layer.check_can_train()
    return LearningLayers(phase, backbone, tuple(layers), tuple(learns))


def backbone_of(model: Any) -> Any:
    """Return the backbone of a model, None if it has none."""
    return next((layer for layer in model.layers if layer.name == "backbone"), None)


def _keeps(phase: Phase, layer: Any) -> bool:
    """Return whether this is a layer whose averages stay as they are."""
    return phase.batch_norm == "inference" and isinstance(layer, keras.layers.BatchNormalization)


def _is_named(phase: Phase, layer: Any) -> bool:
    return isinstance(phase.train, Mapping) and layer.name == phase.train.get("backbone_from")


def _first_that_learns(phase: Phase, layers: list[Any]) -> int:
    """Return the position of the first layer that learns."""
    if phase.train == "all":
        return 0
    kind, value = next(iter(phase.train.items()))
    if kind == "last_layers":
        if value > len(layers):
            raise UsageError(
                f"training.phases: last_layers is {value}, but the backbone has {len(layers)} "
                f"layers with weights. Set last_layers to {len(layers)} or less, or train: all."
            )
        return len(layers) - value
    if kind == "share":
        # Rounded up, so that even the smallest share is one layer.
        return len(layers) - math.ceil(value * len(layers))
    names = [layer.name for layer in layers]
    if value not in names:
        raise UsageError(
            f"training.phases: the backbone has no layer {value}.{did_you_mean(value, names)} The "
            f"last of its layers with weights are {', '.join(names[-10:])}."
        )
    return names.index(value)
