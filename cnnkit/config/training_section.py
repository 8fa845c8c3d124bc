"""The `training` section of a config enters as plain data; a frozen `TrainingConfig` leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from cnnkit.config.calls import Call, call_kind
from cnnkit.config.data_section import ShapesConfig
from cnnkit.config.mistakes import Errors
from cnnkit.config.section import LARGEST_SEED, Section
from cnnkit.config.values import Kind, MismatchError, choice, flag, nullable, number, text, whole
from cnnkit.errors import did_you_mean

TRAINED_PARTS = ("head", "all", "linear_probe")
MONITORS = ("val_loss", "val_accuracy", "train_loss", "train_accuracy")


def _class_weights() -> Kind:
    weight = number(above=0)

    def convert(value: Any) -> dict[str, float] | str | None:
        if value is None or value in ("auto", "effective_number"):
            return value
        if not isinstance(value, Mapping) or not value:
            raise MismatchError
        errors = Errors()
        weights = {
            str(name): errors.read((name,), weight.read, part) for name, part in value.items()
        }
        errors.finish()
        return weights

    mapping = {"type": "object", "additionalProperties": weight.schema, "minProperties": 1}
    schema = {"anyOf": [{"type": "null"}, {"enum": ["auto", "effective_number"]}, mapping]}
    return Kind("auto, effective_number, null, or a weight above 0 for each class", convert, schema)


class EarlyStopping(Section):
    """When training ends before its last epoch."""

    patience: Annotated[int, whole(1)] = Field(
        description="Epochs without a better training.monitor after which training stops."
    )


def _part_of_model() -> Kind:
    """Return the kind of `train` of a phase: head, all, or a part of the backbone."""
    choices: dict[str, Kind] = {
        "backbone_from": text("the name of a layer of the backbone"),
        "last_layers": whole(1),
        "gradual": whole(2, 100),
    }

    def convert(value: Any) -> str | dict[str, Any]:
        if value in TRAINED_PARTS:
            return value
        if not isinstance(value, Mapping) or len(value) != 1:
            near = did_you_mean(value, (*TRAINED_PARTS, *choices)) if isinstance(value, str) else ""
            raise MismatchError(near)
        name, argument = next(iter(value.items()))
        if name not in choices:
            raise MismatchError(did_you_mean(str(name), tuple(choices)))
        errors = Errors()
        part = errors.read((name,), choices[name].read, argument)
        errors.finish()
        return {name: part}

    mappings = [
        {
            "type": "object",
            "properties": {name: kind.schema},
            "required": [name],
            "additionalProperties": False,
        }
        for name, kind in choices.items()
    ]
    expected = (
        "head, all, linear_probe, {backbone_from: LAYER}, {last_layers: NUMBER} or {gradual: STEPS}"
    )
    return Kind(expected, convert, {"anyOf": [{"enum": list(TRAINED_PARTS)}, *mappings]})


class PhaseDataConfig(Section):
    """Other images of the same classes to learn from."""

    source: Annotated[str, text("a folder, a CSV, JSONL or TFRecord file, or a built-in name")] = (
        Field(description="As `data.source`; its images that are for training are learnt from.")
    )
    shapes: ShapesConfig = Field(
        ShapesConfig(), description="What `source: shapes` draws; for that source only."
    )


class PhaseConfig(Section):
    """One phase of a training; what is null is as in `training`."""

    train: Annotated[str | dict[str, Any], _part_of_model()] = Field(
        description="What learns: head, all, linear_probe (the output layer, by logistic "
        "regression), {backbone_from: LAYER} and what follows it, {last_layers: NUMBER} of the "
        "backbone, or {gradual: STEPS}, from the last layers to all."
    )
    epochs: Annotated[int | None, nullable(whole(1))] = Field(
        None, description="Passes over the training images."
    )
    data: PhaseDataConfig | None = Field(
        None,
        description="Other images to learn from, such as drawn or simulated ones. The validation "
        "images stay those of `data`.",
    )
    optimizer: Annotated[Call | None, nullable(call_kind("optimizers"))] = Field(
        None, description="The optimizer, which starts anew in each phase."
    )
    schedule: Annotated[Call | None, nullable(call_kind("schedules"))] = Field(
        None, description="How the learning rate changes over the epochs of the phase."
    )
    warmup_epochs: Annotated[float | None, nullable(number(0))] = Field(
        None, description="Epochs in which the learning rate rises from 0 to its full value."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="When the phase ends before its last epoch."
    )
    backbone_multiplier: Annotated[float, number(above=0)] = Field(
        1.0, description="Multiple of the learning rate for the layers of the backbone."
    )
    layer_decay: Annotated[float, number(above=0, maximum=1)] = Field(
        1.0,
        description="Multiple of the learning rate from each layer of the backbone with weights to "
        "the one before it.",
    )
    batch_norm: Annotated[str, choice("inference", "training")] = Field(
        "inference",
        description="Whether batch normalisation in the backbone keeps its averages, or learns new "
        "ones from each batch.",
    )

    def without_effect(self) -> list[str]:
        """Return the keys that are given, but do nothing for what learns here."""
        useless = {"linear_probe": _OF_STEPS + _OF_A_BACKBONE, "head": _OF_A_BACKBONE}
        keys = useless.get(self.train, ()) if isinstance(self.train, str) else ()
        return [key for key in keys if getattr(self, key) != type(self).model_fields[key].default]


_OF_STEPS = ("epochs", "optimizer", "schedule", "warmup_epochs", "early_stopping")
_OF_A_BACKBONE = ("backbone_multiplier", "layer_decay", "batch_norm")


class TrainingConfig(Section):
    """How the weights are found."""

    epochs: Annotated[int, whole(1)] = Field(20, description="Passes over the training images.")
    optimizer: Annotated[Call, call_kind("optimizers")] = Field(
        Call("adam", {"learning_rate": 0.001}),
        description="adam, sgd, adamw or rmsprop, with Keras's arguments.",
    )
    schedule: Annotated[Call, call_kind("schedules")] = Field(
        Call("constant"), description="How the learning rate changes from epoch to epoch."
    )
    warmup_epochs: Annotated[float, number(0)] = Field(
        0.0, description="Epochs in which the learning rate rises from 0 to its full value."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="When training ends before its last epoch; null for never."
    )
    monitor: Annotated[str, choice(*MONITORS)] = Field(
        "val_loss",
        description="The column of history.csv that the best weights, early_stopping and plateau "
        "look at.",
    )
    phases: tuple[PhaseConfig, ...] = Field(
        (),
        description="Parts of the training, one after the other, with a backbone; none for a "
        "single one.",
    )
    fine_tune: Annotated[bool, flag()] = Field(
        False,
        description="With a backbone: the head learns for training.epochs, then all of it, at a "
        "tenth of the learning rate.",
    )
    feature_cache: Annotated[bool, flag()] = Field(
        True,
        description="Whether the features of a backbone that does not learn are computed once and "
        "kept in the cache folder.",
    )
    feature_views: Annotated[int, whole(0, 100)] = Field(
        0,
        description="How many augmented views of each image have their features computed; 0 for "
        "the image as it is.",
    )
    class_weights: Annotated[dict[str, float] | str | None, _class_weights()] = Field(
        None,
        description="How much an image of each class counts; auto makes the classes count alike, "
        "effective_number does so less strongly.",
    )
    balanced_sampling: Annotated[bool, flag()] = Field(
        False,
        description="Whether an epoch shows every class equally often, its images again where they "
        "are few.",
    )
    label_smoothing: Annotated[float, number(0, below=1)] = Field(
        0.0, description="Share of each label that is spread over all classes."
    )
    seed: Annotated[int, whole(0, LARGEST_SEED)] = Field(
        0,
        description="Decides first weights, order and augmentation; the same seed trains the same "
        "weights.",
    )
    deterministic: Annotated[bool, flag()] = Field(
        True,
        description="Whether the same seed gives the same weights bit for bit, at some cost in "
        "speed.",
    )
    tensorboard: Annotated[bool, flag()] = Field(
        True, description="Whether to write event files for TensorBoard."
    )
