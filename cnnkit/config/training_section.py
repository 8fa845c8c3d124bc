"""The keys of the `training` section: how the weights are trained, and in which phases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Le
from pydantic import Field

from cnnkit.config.calls import Call, Loggers, Loss, Optimizer, Schedule
from cnnkit.config.data_section import ShapesConfig, Source
from cnnkit.config.problems import Errors, read_value
from cnnkit.config.values import (
    Custom,
    Expected,
    Flag,
    Fraction,
    MismatchError,
    NumberAbove0,
    NumberFrom0,
    Positive,
    Section,
    Seed,
    Text,
    Whole,
)
from cnnkit.errors import nearest_name

TRAINED_PARTS = ("head", "all", "linear_probe")
Monitor = Literal["val_loss", "val_accuracy", "train_loss", "train_accuracy", "epoch"]
MONITORS: tuple[str, ...] = get_args(Monitor)
_WEIGHT_RULES = ("auto", "effective_number")


def _read_class_weights(value: Any) -> dict[str, float] | str | None:
    if value is None or value in _WEIGHT_RULES:
        return value
    if not isinstance(value, Mapping) or not value:
        raise MismatchError
    errors = Errors()
    weights = {
        str(name): errors.read((name,), partial(read_value, NumberAbove0), part)
        for name, part in value.items()
    }
    errors.finish()
    return weights


_CLASS_WEIGHTS = Custom(
    "auto, effective_number, null, or a weight above 0 for each class",
    read=_read_class_weights,
    schema={
        "anyOf": [
            {"type": "null"},
            {"enum": list(_WEIGHT_RULES)},
            {
                "type": "object",
                "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
                "minProperties": 1,
            },
        ]
    },
)

# What `train` of a phase may be besides a name: key -> type of its value, and its JSON Schema.
_PARTS_OF_BACKBONE: dict[str, tuple[Any, dict[str, Any]]] = {
    "backbone_from": (
        Annotated[Text, Expected("the name of a layer of the backbone")],
        {"type": ["string", "number"]},
    ),
    "last_layers": (Positive, {"type": "integer", "minimum": 1}),
    "gradual": (
        Annotated[Whole, Ge(2), Le(100)],
        {"type": "integer", "minimum": 2, "maximum": 100},
    ),
}


def _read_train(value: Any) -> str | dict[str, Any]:
    if isinstance(value, str) and value in TRAINED_PARTS:
        return value
    if not isinstance(value, Mapping) or len(value) != 1:
        names = (*TRAINED_PARTS, *_PARTS_OF_BACKBONE)
        raise MismatchError(nearest=nearest_name(value, names) if isinstance(value, str) else "")
    name, argument = next(iter(value.items()))
    if name not in _PARTS_OF_BACKBONE:
        raise MismatchError(nearest=nearest_name(name, _PARTS_OF_BACKBONE))
    kind, _ = _PARTS_OF_BACKBONE[name]
    errors = Errors()
    part = errors.read((name,), partial(read_value, kind), argument)
    errors.finish()
    return {name: part}


_TRAIN = Custom(
    "head, all, linear_probe, {backbone_from: LAYER}, {last_layers: NUMBER} or {gradual: STEPS}",
    read=_read_train,
    schema={
        "anyOf": [
            {"enum": list(TRAINED_PARTS)},
            *(
                {
                    "type": "object",
                    "properties": {name: schema},
                    "required": [name],
                    "additionalProperties": False,
                }
                for name, (_, schema) in _PARTS_OF_BACKBONE.items()
            ),
        ]
    },
)


class EarlyStopping(Section):
    """When training ends before its last epoch."""

    patience: Positive = Field(
        description="Epochs in a row without a better value of training.monitor, after which "
        "training stops."
    )


class PhaseDataConfig(Section):
    """Other images of the same classes, to learn from in one phase."""

    source: Source = Field(
        description="As `data.source`; the phase learns from its training images."
    )
    shapes: ShapesConfig = Field(
        ShapesConfig(), description="What `source: shapes` draws; for that source only."
    )


class PhaseConfig(Section):
    """One phase of a training; a key that is null has the value that it has in `training`."""

    train: Annotated[str | dict[str, Any], _TRAIN] = Field(
        description="What learns: head, all, linear_probe (the output layer, by logistic "
        "regression), {backbone_from: LAYER} and what follows it, {last_layers: NUMBER} of the "
        "backbone, or {gradual: STEPS}, from the last layers to all."
    )
    epochs: Positive | None = Field(None, description="Passes over the training images.")
    data: PhaseDataConfig | None = Field(
        None,
        description="Other images to learn from, such as drawn or simulated ones. The validation "
        "images stay those of `data`.",
    )
    optimizer: Optimizer | None = Field(
        None, description="The optimizer. Each phase starts with a new one."
    )
    schedule: Schedule | None = Field(
        None, description="How the learning rate changes over the epochs of the phase."
    )
    warmup_epochs: NumberFrom0 | None = Field(
        None, description="Epochs in which the learning rate rises from 0 to its full value."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="When the phase ends before its last epoch."
    )
    backbone_multiplier: NumberAbove0 = Field(
        1.0, description="Multiple of the learning rate for the layers of the backbone."
    )
    layer_decay: Annotated[NumberAbove0, Le(1)] = Field(
        1.0,
        description="Multiple of the learning rate from each layer of the backbone with weights to "
        "the one before it.",
    )
    batch_norm: Literal["inference", "training"] = Field(
        "inference",
        description="Whether batch normalisation in the backbone keeps its averages or updates "
        "them with each batch.",
    )

    def without_effect(self) -> list[str]:
        """Return the keys that are given but have no effect on what learns in this phase."""
        # A linear probe is fitted at once; with `train: head` no layer of the backbone learns.
        useless = {"linear_probe": _OF_STEPS + _OF_A_BACKBONE, "head": _OF_A_BACKBONE}
        keys = useless.get(self.train, ()) if isinstance(self.train, str) else ()
        return [key for key in keys if getattr(self, key) != type(self).model_fields[key].default]


_OF_STEPS = ("epochs", "optimizer", "schedule", "warmup_epochs", "early_stopping")
_OF_A_BACKBONE = ("backbone_multiplier", "layer_decay", "batch_norm")


class TrainingConfig(Section):
    """How the weights are trained."""

    epochs: Positive = Field(20, description="Passes over the training images.")
    optimizer: Optimizer = Field(
        Call("adam", {"learning_rate": 0.001}),
        description="adam, sgd, adamw or rmsprop, with Keras's arguments; or muon.",
    )
    loss: Loss | None = Field(
        None,
        description="What training makes small: a cross-entropy, or a focal one; null for the "
        "cross-entropy of model.output.",
    )
    schedule: Schedule = Field(
        Call("constant"), description="How the learning rate changes from epoch to epoch."
    )
    warmup_epochs: NumberFrom0 = Field(
        0.0, description="Epochs in which the learning rate rises from 0 to its full value."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="When training ends before its last epoch; null for never."
    )
    monitor: Monitor = Field(
        "val_loss",
        description="The column of history.csv that decides about the best weights, early_stopping "
        "and plateau.",
    )
    phases: tuple[PhaseConfig, ...] = Field(
        (),
        description="The phases of a training with a backbone, in order; none for a single phase.",
    )
    fine_tune: Flag = Field(
        False,
        description="With a backbone: the head is trained for training.epochs, then the whole "
        "model for as many, at a tenth of the learning rate.",
    )
    feature_cache: Flag = Field(
        True,
        description="Whether the features of a backbone that does not learn are computed once and "
        "kept in the cache folder.",
    )
    feature_views: Annotated[Whole, Ge(0), Le(100)] = Field(
        0,
        description="For how many augmented views of each image features are computed; 0 for the "
        "image itself.",
    )
    class_weights: Annotated[dict[str, float] | str | None, _CLASS_WEIGHTS] = Field(
        None,
        description="How much an image of each class counts; auto balances the classes, "
        "effective_number does so less strongly.",
    )
    balanced_sampling: Flag = Field(
        False,
        description="Whether an epoch shows every class equally often; small classes repeat their "
        "images.",
    )
    label_smoothing: Fraction = Field(
        0.0, description="Share of each label that is spread over all classes."
    )
    seed: Seed = Field(
        0,
        description="Decides the initial weights, the order of the images and the augmentation; "
        "the same seed gives the same weights.",
    )
    deterministic: Flag = Field(
        True,
        description="Whether the same seed gives the same weights, bit for bit, at some cost in "
        "speed.",
    )
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "auto",
        description="With which numbers the network computes while it learns; auto is "
        "mixed_float16 on a GPU with tensor cores, otherwise float32.",
    )
    jit_compile: Annotated[Literal["auto"] | Flag, Expected("auto, true or false")] = Field(
        "auto",
        description="Whether XLA compiles the training step; auto leaves it to Keras on a GPU, and "
        "is false on a CPU.",
    )
    film: Flag = Field(
        False,
        description="Whether film.html in the run shows the filters, the feature maps of an image "
        "and the confusion matrix after each epoch.",
    )
    tensorboard: Flag = Field(True, description="Whether to write event files for TensorBoard.")
    loggers: Loggers = Field(
        (),
        description="Programs that get the numbers of each epoch, besides history.csv and "
        "TensorBoard: mlflow, trackio.",
    )
    max_minutes: NumberAbove0 | None = Field(
        None,
        description="The training ends before an epoch that would not end within this time; null "
        "for no limit.",
    )
    checkpoint_minutes: NumberAbove0 | None = Field(
        10.0,
        description="In an epoch that takes longer, what was trained is saved after so many "
        "minutes; null to save at its end only.",
    )
    keep_backup: Flag = Field(
        True,
        description="Whether a finished run keeps what train --resume RUN --epochs N needs, about "
        "three times the size of its weights.",
    )

    @property
    def is_focal(self) -> bool:
        """Whether the loss is a focal one."""
        return self.loss is not None and "focal" in self.loss.name
