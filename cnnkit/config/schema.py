"""Plain data enters; one frozen `Config` leaves. Every key and default is declared here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from cnnkit.config.backbone_section import BackboneConfig
from cnnkit.config.calls import Call, calls_kind
from cnnkit.config.kinds import (
    Kind,
    MismatchError,
    choice,
    flag,
    items_of,
    nullable,
    number,
    regular_expression,
    text,
    whole,
)
from cnnkit.config.section import LARGEST_SEED, Section
from cnnkit.config.training_section import TrainingConfig

LARGEST_SIZE = 10_000  # pixels of a side
BUILT_IN_SOURCES = (
    "digits",
    "shapes",
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "tf_flowers",
    "cats_vs_dogs",
)


def _image_size() -> Kind:
    size = items_of(whole(1, LARGEST_SIZE), (2,))

    def convert(value: Any) -> tuple[int, int]:
        pair = size.convert(value if isinstance(value, list | tuple) else [value, value])
        return pair[0], pair[1]

    schema = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE}, size.schema]}
    expected = "[height, width] in pixels, or one number for a square"
    return Kind(expected, convert, schema, list)


def _classes() -> Kind:
    name = text("a class name")

    def convert(value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) < 2:
            raise MismatchError
        names = tuple(name.convert(part) for part in value)
        twice = next((each for each in names if names.count(each) > 1), None)
        if twice is not None:
            raise MismatchError(f" {twice} stands twice.")
        return names

    names = {"type": "array", "items": name.schema, "minItems": 2, "uniqueItems": True}
    schema = {"anyOf": [{"type": "null"}, {"type": "string"}, names]}
    expected = "a list of at least two class names, or a text file with one class a line"
    return Kind(expected, convert, schema, lambda value: value and list(value))


def _blocks() -> Kind:
    def convert(value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise MismatchError
        return value

    stack = {"type": "array", "items": {"$ref": "#/$defs/layers"}, "minItems": 1}
    schema = {"type": "object", "additionalProperties": stack}
    return Kind("names, each with a list of layers", convert, schema)


class SplitConfig(Section):
    """How images are divided; ignored where the source brings its own division."""

    validation: Annotated[float, number(0, below=1)] = Field(
        0.1, description="Fraction of the images that chooses the best epoch."
    )
    test: Annotated[float, number(0, below=1)] = Field(
        0.1, description="Fraction of the images that is looked at once, at the end."
    )
    seed: Annotated[int, whole(0, LARGEST_SEED)] = Field(
        0, description="Another seed divides differently."
    )
    group: Annotated[str | None, nullable(regular_expression())] = Field(
        None,
        description="Regular expression on an image's path; images for which its first group (or "
        "all it matches) is the same stay in one split.",
    )


class ShapesConfig(Section):
    """The drawn data set of `source: shapes`."""

    num_images: Annotated[int, whole(1)] = Field(1000, description="How many images to draw.")
    image_size: Annotated[int, whole(8)] = Field(
        64, description="Height and width of the drawn images in pixels, before data.image_size."
    )
    seed: Annotated[int, whole(0, LARGEST_SEED)] = Field(
        0, description="Another seed draws other images."
    )


class DataConfig(Section):
    """Where the images come from and how they become pixels."""

    source: Annotated[str, text("a folder, a CSV, JSONL or TFRecord file, or a built-in name")] = (
        Field(
            description="A folder of class folders, a CSV or JSONL file with path and label, "
            "TFRecord files, or the name of a built-in. Relative to this file; ~ and ${NAME} are "
            "filled in."
        )
    )
    image_size: Annotated[tuple[int, int], _image_size()] = Field(
        description="Height and width in pixels that the model sees; one number for a square."
    )
    color_mode: Annotated[str, choice("rgb", "grayscale")] = Field(
        "rgb", description="Three channels or one; images of the other kind are converted."
    )
    resize: Annotated[str, choice("stretch", "crop", "pad")] = Field(
        "stretch",
        description="How an image of another shape comes to image_size: stretched, its middle cut "
        "out, or bordered.",
    )
    background: Annotated[int, whole(0, 255)] = Field(
        255, description="Grey level behind transparent pixels and around padded images."
    )
    split: SplitConfig = Field(
        SplitConfig(), description="How images are divided into training, validation and test."
    )
    batch_size: Annotated[int, whole(1, 1_000_000)] = Field(
        32, description="Images in one training step."
    )
    on_error: Annotated[str, choice("error", "skip")] = Field(
        "error", description="An image that cannot be read stops the run, or is left out."
    )
    classes: Annotated[tuple[str, ...] | None, _classes()] = Field(
        None,
        description="The classes to use, in label order: a list, or a text file with one a line. "
        "null for all classes of the source, sorted by name.",
    )
    allow_missing_classes: Annotated[bool, flag()] = Field(
        False, description="Whether a validation or test folder may lack some of the classes."
    )
    cache: Annotated[str, choice("auto", "disk", "memory", "off")] = Field(
        "auto", description="Where decoded pixels are kept for the next epoch and the next run."
    )
    cache_limit_gb: Annotated[float, number(above=0)] = Field(
        50.0,
        description="Room in GB for decoded pixels in the cache folder; those that were not used "
        "for longest make way.",
    )
    shapes: ShapesConfig = Field(
        ShapesConfig(), description="What `source: shapes` draws; for that source only."
    )


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
