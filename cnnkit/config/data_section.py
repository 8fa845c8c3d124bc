"""The keys of the `data` section: where images come from and how they become pixels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from cnnkit.config.values import (
    Expected,
    Flag,
    Fraction,
    MismatchError,
    Number,
    NumberAbove0,
    Positive,
    RegularExpression,
    Section,
    Seed,
    Text,
    Whole,
)

LARGEST_SIZE = 10_000  # height or width in pixels; catches a zero too many
SOURCE_COLUMNS = ("path", "label", "split", "group", "sha256")  # of a CSV or JSONL file
BUILT_IN_SOURCES = (  # cnnkit.data.sources says what they are
    "digits",
    "shapes",
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "tf_flowers",
    "cats_vs_dogs",
)


def _pair(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value, value]


_Pixels = Annotated[Whole, Ge(1), Le(LARGEST_SIZE)]
_PIXELS_SCHEMA = {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE}
_PAIR_SCHEMA = {"type": "array", "items": _PIXELS_SCHEMA, "minItems": 2, "maxItems": 2}
ImageSize = Annotated[
    tuple[_Pixels, _Pixels],
    BeforeValidator(_pair),
    Expected("[height, width] in pixels, or one number for a square"),
    WithJsonSchema({"anyOf": [_PIXELS_SCHEMA, _PAIR_SCHEMA]}),
]


def _different(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise MismatchError(f" {twice} is given twice.")
    return names


def _rising(values: tuple[float, float]) -> tuple[float, float]:
    black, white = values
    if black >= white:
        raise MismatchError(f" Black is {black:g}, which is not less than white, {white:g}.")
    return values


SampleRange = Annotated[
    tuple[Number, Number],
    AfterValidator(_rising),
    Expected("[black, white], two numbers such as [0, 4095]"),
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]


_CLASSES = Expected("a list of at least two class names, or a text file with one class per line")
ClassNames = Annotated[
    tuple[Text, ...],
    Len(2),
    AfterValidator(_different),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "array",
                    "items": {"type": ["string", "number"]},
                    "minItems": 2,
                    "uniqueItems": True,
                },
            ]
        }
    ),
]

Source = Annotated[Text, Expected("a folder, a CSV, JSONL or TFRecord file, or a built-in name")]


class SplitConfig(Section):
    """How images are divided; ignored if the source has its own split."""

    validation: Fraction = Field(
        0.1, description="Fraction of the images on which the best epoch is chosen."
    )
    test: Fraction = Field(
        0.1, description="Fraction of the images for the test, once, after training."
    )
    seed: Seed = Field(0, description="Another seed gives another split.")
    group: RegularExpression | None = Field(
        None,
        description="Regular expression on an image's path; images with the same first group (or "
        "the same whole match) stay in the same split.",
    )


class ShapesConfig(Section):
    """The data set that `source: shapes` draws."""

    num_images: Positive = Field(1000, description="How many images to draw.")
    image_size: Annotated[Whole, Ge(8)] = Field(
        64, description="Height and width of the drawn images in pixels, before data.image_size."
    )
    seed: Seed = Field(0, description="Another seed draws other images.")
    style: Literal["filled", "outline", "sketch"] = Field(
        "filled",
        description="Shapes filled with one colour on another, their clean outlines, or outlines "
        "as drawn by hand.",
    )


class DataConfig(Section):
    """Where the images come from and how they become pixels."""

    source: Source = Field(
        description="A folder of class folders, a CSV or JSONL file with path and label, TFRecord "
        "files, or the name of a built-in. Relative to this file; ~ and ${NAME} are filled in."
    )
    image_size: ImageSize = Field(
        description="Height and width in pixels that the model sees; one number for a square."
    )
    color_mode: Literal["rgb", "grayscale"] = Field(
        "rgb", description="Three channels or one; images of the other kind are converted."
    )
    resize: Literal["stretch", "crop", "pad"] = Field(
        "stretch",
        description="How an image of another shape is brought to image_size: stretched, cropped to "
        "its middle, or padded.",
    )
    background: Annotated[Whole, Ge(0), Le(255)] = Field(
        255, description="Grey level behind transparent pixels and around padded images."
    )
    sample_range: SampleRange | None = Field(
        None,
        description="[black, white] of pictures with more than 8 bits per channel, such as "
        "[0, 4095] for a 12-bit camera that writes 16-bit files. null for what each file states, "
        "or else 0 to 65535.",
    )
    split: SplitConfig = Field(
        SplitConfig(), description="How images are divided into training, validation and test."
    )
    batch_size: Annotated[Whole, Ge(1), Le(1_000_000)] = Field(
        32, description="Images in one training step."
    )
    on_error: Literal["error", "skip"] = Field(
        "error", description="Whether an image that cannot be read stops the run or is skipped."
    )
    classes: Annotated[ClassNames | None, _CLASSES] = Field(
        None,
        description="The classes to use, in label order: a list, or a text file with one per line. "
        "null for all classes of the source, sorted by name.",
    )
    labels: Annotated[Text | None, Expected("a CSV file with the columns sha256 and new_label")] = (
        Field(
            None,
            description="A CSV file that corrects labels, from `cnnkit data labels`: images "
            "with the content `sha256` get the class in `new_label`. Relative to this file.",
        )
    )
    weight_column: Annotated[Text | None, Expected("the name of a column")] = Field(
        None,
        description="The column of a CSV or JSONL source that says how much each image counts in "
        "the training loss; null for all alike.",
    )
    allow_missing_classes: Flag = Field(
        False, description="Whether a validation or test folder may lack some of the classes."
    )
    cache: Literal["auto", "disk", "memory", "off"] = Field(
        "auto", description="Where decoded pixels are kept for the next epoch and the next run."
    )
    cache_limit_gb: NumberAbove0 = Field(
        50.0,
        description="GB in the cache folder for decoded pixels, and as many for features; what was "
        "unused for longest is deleted first.",
    )
    shapes: ShapesConfig = Field(
        ShapesConfig(), description="What `source: shapes` draws; for that source only."
    )
