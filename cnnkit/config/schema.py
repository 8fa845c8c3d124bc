"""Plain data enters; one frozen `Config` leaves. Every key and default is declared here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from cnnkit.config.backbone_section import BackboneConfig
from cnnkit.config.calls import Call, calls_kind
from cnnkit.config.data_section import DataConfig
from cnnkit.config.section import Section
from cnnkit.config.training_section import TrainingConfig
from cnnkit.config.values import (
    Kind,
    MismatchError,
    choice,
    nullable,
)


def _blocks() -> Kind:
    def convert(value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise MismatchError
        return value

    stack = {"type": "array", "items": {"$ref": "#/$defs/layers"}, "minItems": 1}
    schema = {"type": "object", "additionalProperties": stack}
    return Kind("names, each with a list of layers", convert, schema)


def _layers() -> Kind:
    """Return the kind of `model.layers`; null stands for those that a backbone replaces."""
    kind = calls_kind("layers", minimum=1)

    def convert(value: Any) -> tuple[Call, ...] | None:
        return None if value is None else kind.convert(value)

    return Kind(kind.expected, convert, kind.schema, lambda value: value and kind.write(value))


def _layers_or_backbone(schema: dict[str, Any]) -> None:
    del schema["required"]
    schema["anyOf"] = [{"required": ["layers"]}, {"required": ["backbone"]}]


class ModelConfig(Section):
    """The layers between the pixels and the probabilities."""

    model_config = ConfigDict(json_schema_extra=_layers_or_backbone)

    layers: Annotated[tuple[Call, ...] | None, _layers()] = Field(
        description="The layers in order; rescaling before and the output after them are added."
    )
    backbone: BackboneConfig | None = Field(
        None, description="A network that was trained before, in place of layers."
    )
    head: Annotated[tuple[Call, ...] | None, nullable(calls_kind("layers"))] = Field(
        None,
        description="The layers between the backbone and the output; null for global_pool, where "
        "the features are maps, and dropout: 0.2.",
    )
    blocks: Annotated[Mapping[str, Any], _blocks()] = Field(
        {},
        exclude=True,  # they are in `layers` when the config is read
        description="Stacks of layers by name, for `block` in `layers`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _backbone_replaces_layers(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("backbone") is not None:
            return {"layers": None, **data}
        return data

    output: Annotated[str, choice("softmax", "sigmoid")] = Field(
        "softmax", description="One probability a class, or one sigmoid unit for two classes."
    )


class Config(Section):
    """One training: its data, augmentation, model and training."""

    data: DataConfig = Field(description="Where the images come from and how they become pixels.")
    augmentation: Annotated[tuple[Call, ...], calls_kind("augmentation")] = Field(
        (), description="Random changes of the training images, in this order."
    )
    model: ModelConfig = Field(description="The layers between the pixels and the probabilities.")
    training: TrainingConfig = Field(TrainingConfig(), description="How the weights are found.")
