"""Find values of a config that are right by themselves but do not fit together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cnnkit.arithmetic import (
    MERGES,
    StackError,
    check_stack,
    has_weights,
    name_problems,
    nodes_of,
)
from cnnkit.backbone_networks import NETWORKS
from cnnkit.config.data_section import SOURCE_COLUMNS
from cnnkit.config.model_section import NO_PATHS, BackboneConfig, ModelConfig
from cnnkit.config.own_calls import MIXING, misplaced_mixing
from cnnkit.config.problems import Mistake, shown
from cnnkit.config.schema import Config
from cnnkit.config.training_section import TrainingConfig
from cnnkit.errors import KeyPath
from cnnkit.text import count_of

CHANNELS = {"rgb": 3, "grayscale": 1}


def mistakes_between(config: Config) -> Iterator[Mistake]:
    """Yield every mistake that shows only when values of a config are compared."""
    yield from _data_mistakes(config)
    yield from _augmentation_mistakes(config)
    yield from _training_mistakes(config.training)
    yield from _compiling_mistakes(config.training)
    yield from _warmup_mistakes(config.training)
    if config.model.backbone is None:
        yield from _layers_mistakes(config)
    else:
        yield from _backbone_mistakes(config, config.model.backbone)
    yield from _name_mistakes(config)
    yield from _weights_mistakes(config.model)
    yield from _loss_mistakes(config)


# --- data, augmentation and training


def _data_mistakes(config: Config) -> Iterator[Mistake]:
    data = config.data
    held_out = data.split.validation + data.split.test
    if held_out >= 1:
        message = (
            f"validation and test together take {held_out:g} of the images, which leaves none to "
            "train on. Keep their sum below 1."
        )
        yield Mistake(("data", "split"), message)
    if data.weight_column in SOURCE_COLUMNS:
        message = (
            f"the column {data.weight_column} has a meaning of its own. Name another column, whose "
            "values are numbers."
        )
        yield Mistake(("data", "weight_column"), message)
    yield from _shapes_mistakes(data, ("data",))
    for index, phase in enumerate(config.training.phases):
        if phase.data is not None:
            yield from _shapes_mistakes(phase.data, ("training", "phases", index, "data"))


def _shapes_mistakes(data: Any, path: KeyPath) -> Iterator[Mistake]:
    if data.source != "shapes" and "shapes" in data.model_fields_set:
        message = (
            f'goes only with source: shapes, but source is "{data.source}". Remove this section.'
        )
        yield Mistake((*path, "shapes"), message, "key")


def _augmentation_mistakes(config: Config) -> Iterator[Mistake]:
    misplaced = misplaced_mixing(config.augmentation)
    if misplaced:
        index, message = misplaced
        yield Mistake(("augmentation", index), message)
    if config.data.batch_size > 1:  # an image can only be mixed with others of its batch
        return
    for index, call in enumerate(config.augmentation):
        if call.name in MIXING:
            message = (
                f"{call.name} mixes the images of a batch, but data.batch_size is 1. Set a larger "
                f"batch_size, or remove {call.name}."
            )
            yield Mistake(("augmentation", index), message)


def _training_mistakes(training: TrainingConfig) -> Iterator[Mistake]:
    if training.balanced_sampling and training.class_weights is not None:
        message = (
            "balanced_sampling already shows all classes equally often; together with "
            "class_weights, rare classes would count twice. Remove one of the two."
        )
        yield Mistake(("training", "balanced_sampling"), message)


def _compiling_mistakes(training: TrainingConfig) -> Iterator[Mistake]:
    if training.jit_compile is True and training.deterministic:
        message = (
            "XLA compiles nothing while training.deterministic is true. Set "
            "training.deterministic: false, or remove jit_compile."
        )
        yield Mistake(("training", "jit_compile"), message)


def _warmup_mistakes(training: TrainingConfig) -> Iterator[Mistake]:
    """Yield the warm-ups that are longer than the training or the phase that they begin.

    A phase has its own epochs and warm-up, or else those of `training`. Those of `training` are
    compared with each other only if they are used together. A linear probe is fitted at once,
    without a learning rate, so no warm-up applies to it.
    """
    phases = {i: p for i, p in enumerate(training.phases) if p.train != "linear_probe"}
    own = {i: p for i, p in phases.items() if (p.epochs, p.warmup_epochs) != (None, None)}
    is_used = not training.phases or len(own) < len(phases)
    if is_used and training.warmup_epochs > training.epochs:
        message = (
            f"the warm-up takes {training.warmup_epochs:g} epochs, but the whole training has "
            f"only {training.epochs}. Shorten the warm-up or train longer."
        )
        yield Mistake(("training", "warmup_epochs"), message)
    for index, phase in own.items():
        epochs = phase.epochs or training.epochs
        key, warmup, origin = "warmup_epochs", phase.warmup_epochs, ""
        if warmup is None:
            key, warmup, origin = "epochs", training.warmup_epochs, " (training.warmup_epochs)"
        if warmup > epochs:
            message = (
                f"phase {index + 1} has only {count_of(epochs, 'epoch')}, but its warm-up takes "
                f"{warmup:g}{origin}. In this phase set warmup_epochs to {epochs} or less, or "
                f"epochs to {math.ceil(warmup)} or more."
            )
            yield Mistake(("training", "phases", index, key), message)


# --- a model of layers


def _layers_mistakes(config: Config) -> Iterator[Mistake]:
    model, training = config.model, config.training
    if model.layers is None:
        message = (
            "required, but missing. Add layers: a list of at least one layer; or add backbone."
        )
        yield Mistake(("model", "layers"), message, "section")
    if model.head is not None:
        message = "goes only with a backbone. Move its layers to layers."
        yield Mistake(("model", "head"), message, "key")
    if training.fine_tune:
        message = (
            "goes only with model.backbone; without one, all layers learn from the first epoch "
            "on. Remove it."
        )
        yield Mistake(("training", "fine_tune"), message, "key")
    for index, phase in enumerate(training.phases):
        if phase.train != "all":
            message = "this goes only with model.backbone; without one, set train: all."
            yield Mistake(("training", "phases", index, "train"), message)
    if model.layers is not None:
        input_shape = (*config.data.image_size, CHANNELS[config.data.color_mode])
        try:
            check_stack(model.layers, input_shape)
        except StackError as error:
            yield Mistake(("model", "layers", *error.path), error.message)


def _name_mistakes(config: Config) -> Iterator[Mistake]:
    for key in ("layers", "head"):
        for error in name_problems(getattr(config.model, key) or ()):
            yield Mistake(("model", key, *error.path), error.message)


def _loss_mistakes(config: Config) -> Iterator[Mistake]:
    if not config.loss_fits_output():
        kind, _, rest = config.loss_name.partition("_")
        other = {"binary": "categorical", "categorical": "binary"}[kind]
        message = (
            f"{config.loss_name} does not go with model.output: {config.model.output}. Set "
            f"{other}_{rest}, or remove it."
        )
        yield Mistake(("training", "loss"), message)


def _weights_mistakes(model: ModelConfig) -> Iterator[Mistake]:
    if model.weights in NO_PATHS or "://" in (model.weights or ""):
        message = (
            f"expected the folder of a cnnkit run or a .keras file, received "
            f"{shown(model.weights)}. The weights of a known network go into model.backbone: "
            "{name: ..., weights: ...}."
        )
        yield Mistake(("model", "weights"), message)
    if model.partial_weights and model.weights is None:
        message = "goes only with model.weights. Remove it."
        yield Mistake(("model", "partial_weights"), message, "key")


# --- a model with a backbone


def _backbone_mistakes(config: Config, backbone: BackboneConfig) -> Iterator[Mistake]:
    model, training = config.model, config.training
    for each in backbone.mistakes():
        yield replace(each, path=("model", "backbone", *each.path))
    yield from _size_mistakes(config, backbone.name)
    yield from _probe_mistakes(config)
    yield from _phase_mistakes(config)
    if model.layers is not None:
        message = "cannot be combined with backbone. Move its layers to head."
        yield Mistake(("model", "layers"), message, "key")
    if training.fine_tune and training.phases:
        message = (
            "fine_tune already means two phases, but phases are given too. Remove one of the two."
        )
        yield Mistake(("training", "fine_tune"), message)


def _size_mistakes(config: Config, name: str | None) -> Iterator[Mistake]:
    height, width = config.data.image_size
    least = NETWORKS[name].minimum_size if name is not None else 0  # others: known when built
    if min(height, width) < least:
        message = (
            f"{name} needs images of at least {least} x {least} pixels, but these are {height} x "
            f"{width}. Set {least} or more, or use another network."
        )
        yield Mistake(("data", "image_size"), message)


def _phase_mistakes(config: Config) -> Iterator[Mistake]:
    training = config.training
    for index, phase in enumerate(training.phases):
        own = ("training", "phases", index)
        for key in phase.without_effect():
            message = f"has no effect if train is {phase.train}. Remove it."
            yield Mistake((*own, key), message, "key")
        epochs = phase.epochs or training.epochs
        if isinstance(phase.train, dict) and phase.train.get("gradual", 0) > epochs:
            message = (
                f"each step takes at least one epoch, but the phase has only "
                f"{count_of(epochs, 'epoch')}. Set gradual to {epochs} or less, or train longer."
            )
            yield Mistake((*own, "train", "gradual"), message)
    changing = [call for call in config.augmentation if call.name not in MIXING]
    if training.feature_views and not changing:
        message = (
            "views are augmented images, but no augmentation here changes a single image. Add "
            "one, or remove feature_views."
        )
        yield Mistake(("training", "feature_views"), message)


def _probe_mistakes(config: Config) -> Iterator[Mistake]:
    if all(phase.train != "linear_probe" for phase in config.training.phases):
        return
    for index, call in enumerate(config.model.head or ()):
        last = nodes_of([call])[-1]
        if last.kind in MERGES or has_weights(last.kind, last.arguments):
            message = (
                "linear_probe fits only the output layer, so the layers of the head must have no "
                f"weights and form a single chain. Remove {call.name}, or use train: head in "
                "training.phases."
            )
            yield Mistake(("model", "head", index), message)
