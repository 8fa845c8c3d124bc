"""The `data` section of a config enters as plain data; a frozen `DataConfig` leaves."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from cnnkit.config.section import LARGEST_SEED, Section
from cnnkit.config.values import (
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
    style: Annotated[str, choice("filled", "outline", "sketch")] = Field(
        "filled",
        description="Shapes of one colour on another, their clean outlines, or outlines by hand.",
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
        description="Room in GB in the cache folder for decoded pixels, and as much for features; "
        "those that were not used for longest make way.",
    )
    shapes: ShapesConfig = Field(
        ShapesConfig(), description="What `source: shapes` draws; for that source only."
    )
