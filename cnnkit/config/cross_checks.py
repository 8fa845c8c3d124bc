"""A `Config` enters; the problems of values that do not fit together leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnnkit.arithmetic import (
    MERGES,
    StackError,
    check_stack,
    has_weights,
    name_problems,
    nodes_of,
)
from cnnkit.config.own_augmentation import MIXING, misplaced_mixing
from cnnkit.config.problems import Row
from cnnkit.config.schema import Config
from cnnkit.config.yaml_reader import Path
from cnnkit.networks import NETWORKS

CHANNELS = {"rgb": 3, "grayscale": 1}


def problems_between(config: Config) -> Iterator[Row]:
    """Yield a row for each pair of values that do not fit together."""
    yield from _data_problems(config)
    yield from _augmentation_problems(config)
    yield from _training_problems(config)
    yield from _model_problems(config)
    yield from _stack_problems(config)
    yield from _name_problems(config)


def _data_problems(config: Config) -> Iterator[Row]:
    data = config.data
    held_out = data.split.validation + data.split.test
    if held_out >= 1:
        message = (
            f"validation and test together take {held_out:g} of the images and leave none to "
            "train on. Keep their sum below 1."
        )
        yield ("data", "split"), "value", message
    yield from _shapes_problems(data, ("data",))
    for index, phase in enumerate(config.training.phases):
        if phase.data is not None:
            yield from _shapes_problems(phase.data, ("training", "phases", index, "data"))


def _shapes_problems(data: Any, path: Path) -> Iterator[Row]:
    if data.source != "shapes" and "shapes" in data.model_fields_set:
        message = f'only for source: shapes; here source is "{data.source}". Remove this section.'
        yield (*path, "shapes"), "key", message


def _augmentation_problems(config: Config) -> Iterator[Row]:
    misplaced = misplaced_mixing(config.augmentation)
    if misplaced:
        index, message = misplaced
        yield ("augmentation", index), "value", message
    if config.data.batch_size == 1:
        for index, call in enumerate(config.augmentation):
            if call.name in MIXING:
                message = (
                    f"{call.name} mixes the images of a batch, and data.batch_size is 1. Set a "
                    "larger one, or remove this."
                )
                yield ("augmentation", index), "value", message


def _training_problems(config: Config) -> Iterator[Row]:
    training = config.training
    if training.balanced_sampling and training.class_weights is not None:
        message = (
            "balanced_sampling already shows the classes equally often; together with "
            "class_weights rare classes would count twice. Remove one of the two."
        )
        yield ("training", "balanced_sampling"), "value", message
    if training.warmup_epochs > training.epochs:
        message = (
            f"the warm-up takes {training.warmup_epochs:g} epochs, the whole training "
            f"{training.epochs}. Shorten the warm-up or train longer."
        )
        yield ("training", "warmup_epochs"), "value", message


def _model_problems(config: Config) -> Iterator[Row]:
    model, training = config.model, config.training
    if model.backbone is not None:
        yield from _backbone_problems(config)
        return
    if model.layers is None:
        message = "required and missing. Add layers: a list of at least one layer; or backbone."
        yield ("model", "layers"), "section", message
    if model.head is not None:
        yield ("model", "head"), "key", "only with backbone. Move the layers to layers."
    if training.fine_tune:
        message = "only with model.backbone: here all layers learn from the first epoch on."
        yield ("training", "fine_tune"), "key", message
    for index, phase in enumerate(training.phases):
        if phase.train != "all":
            message = "only with model.backbone; without one it can be all alone."
            yield ("training", "phases", index, "train"), "value", message


def _backbone_problems(config: Config) -> Iterator[Row]:
    model, training = config.model, config.training
    for path, subject, message in model.backbone.problems():
        yield ("model", "backbone", *path), subject, message
    yield from _size_problems(config)
    yield from _probe_problems(config)
    yield from _phase_problems(config)
    if model.layers is not None:
        yield ("model", "layers"), "key", "not beside backbone. Move the layers to head."
    if training.fine_tune and training.phases:
        message = "the same as two phases, and phases are given too. Remove one of the two."
        yield ("training", "fine_tune"), "value", message


def _size_problems(config: Config) -> Iterator[Row]:
    name, (height, width) = config.model.backbone.name, config.data.image_size
    least = NETWORKS[name].minimum_size if name is not None else 0
    if min(height, width) < least:
        message = (
            f"{name} takes images of at least {least} x {least} pixels, and these are "
            f"{height} x {width}. Set {least} or more, or take another network."
        )
        yield ("data", "image_size"), "value", message


def _phase_problems(config: Config) -> Iterator[Row]:
    training = config.training
    for index, phase in enumerate(training.phases):
        own = ("training", "phases", index)
        for key in phase.without_effect():
            message = f"it does nothing where train is {phase.train}. Remove it."
            yield (*own, key), "key", message
        epochs = phase.epochs or training.epochs
        if isinstance(phase.train, dict) and phase.train.get("gradual", 0) > epochs:
            message = f"each step takes an epoch at least, and the phase has {epochs}."
            yield (*own, "train", "gradual"), "value", message
    plain = [call for call in config.augmentation if call.name not in MIXING]
    if training.feature_views and not plain:
        message = "views are augmented images, and no augmentation changes one. Remove this."
        yield ("training", "feature_views"), "value", message


def _probe_problems(config: Config) -> Iterator[Row]:
    if all(phase.train != "linear_probe" for phase in config.training.phases):
        return
    for index, call in enumerate(config.model.head or ()):
        last = nodes_of([call])[-1]
        if last.kind in MERGES or has_weights(last.kind, last.arguments):
            message = (
                "linear_probe finds the output layer alone, and takes before it only layers "
                f"without weights, one after the other. Remove {call.name}, or use train: head in "
                "training.phases."
            )
            yield ("model", "head", index), "value", message


def _stack_problems(config: Config) -> Iterator[Row]:
    if config.model.layers is None:
        return
    input_shape = (*config.data.image_size, CHANNELS[config.data.color_mode])
    try:
        check_stack(config.model.layers, input_shape)
    except StackError as error:
        yield ("model", "layers", *error.path), "value", error.message


def _name_problems(config: Config) -> Iterator[Row]:
    for key in ("layers", "head"):
        for error in name_problems(getattr(config.model, key) or ()):
            yield ("model", key, *error.path), "value", error.message
