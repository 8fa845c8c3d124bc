"""Plain data enters; one frozen `Config` leaves. Every key and default is declared here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cnnkit.config.calls import Call, call_kind, calls_kind
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
from cnnkit.config.mistakes import Errors

LARGEST_SEED = 2**32 - 1  # of NumPy and scikit-learn
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
MONITORS = ("val_loss", "val_accuracy", "train_loss", "train_accuracy")


class Section(BaseModel):
    """One section of the config: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_an_empty_section(cls, data: Any) -> Any:
        return {} if data is None else data


def _image_size() -> Kind:
    size = items_of(whole(1, LARGEST_SIZE), (2,))

    def convert(value: Any) -> tuple[int, int]:
        pair = size.convert(value if isinstance(value, list | tuple) else [value, value])
        return pair[0], pair[1]

    schema = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE}, size.schema]}
    expected = "[height, width] in pixels, or one number for a square"
    return Kind(expected, convert, schema, list)


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


class ModelConfig(Section):
    """The layers between the pixels and the probabilities."""

    layers: Annotated[tuple[Call, ...], calls_kind("layers", minimum=1)] = Field(
        description="The layers in order; rescaling before and the output after them are added."
    )
    blocks: Annotated[Mapping[str, Any], _blocks()] = Field(
        {},
        exclude=True,  # they are in `layers` when the config is read
        description="Stacks of layers by name, for `block` in `layers`.",
    )
    output: Annotated[str, choice("softmax", "sigmoid")] = Field(
        "softmax", description="One probability a class, or one sigmoid unit for two classes."
    )


class EarlyStopping(Section):
    """When training ends before its last epoch."""

    patience: Annotated[int, whole(1)] = Field(
        description="Epochs without a better training.monitor after which training stops."
    )


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


class Config(Section):
    """One training: its data, augmentation, model and training."""

    data: DataConfig = Field(description="Where the images come from and how they become pixels.")
    augmentation: Annotated[tuple[Call, ...], calls_kind("augmentation")] = Field(
        (), description="Random changes of the training images, in this order."
    )
    model: ModelConfig = Field(description="The layers between the pixels and the probabilities.")
    training: TrainingConfig = Field(TrainingConfig(), description="How the weights are found.")
