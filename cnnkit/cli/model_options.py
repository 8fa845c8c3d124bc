"""--model for commands that take any model, with the options of those cnnkit did not write."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

_SCALINGS = ("0-255", "0-1", "tf", "torch", "caffe", "lite")  # written out: the help needs no NumPy

_model_option = click.option(
    "--model",
    metavar="RUN|FILE|NETWORK",
    help="A run folder or name, a model file, or the name of a network that knows ImageNet, "
    "such as EfficientNetLite0. Default: the newest finished run.",
)
_OPTIONS = (
    click.option(
        "--labels",
        metavar="FILE|imagenet",
        help="The class names of a model that cnnkit did not write: a text file with one name per "
        "line, in the order of its outputs.",
    ),
    click.option(
        "--scaling",
        type=click.Choice(_SCALINGS),
        help="How such a model wants pixels to be scaled. Asked for if its file does not say.",
    ),
    click.option(
        "--resize",
        type=click.Choice(["stretch", "crop", "pad"]),
        help="How pictures get the size that such a model takes. Default: stretch.",
    ),
    click.option(
        "--image-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="The height and width for such a model, if it takes images of any size.",
    ),
    click.option(
        "--logits",
        is_flag=True,
        help="Such a model gives logits: softmax makes them probabilities.",
    ),
)


def any_model_options(command: Callable) -> Callable:
    """Add --model and the options of a foreign model: the arguments `model` and `how`."""
    return _model_option(foreign_model_options(command))


def foreign_model_options(command: Callable) -> Callable:
    """Add the options of a foreign model: the argument `how`, a `HowToRead`."""

    @functools.wraps(command)
    def with_how(
        *args: Any,
        labels: str | None,
        scaling: str | None,
        resize: str | None,
        image_size: int | None,
        logits: bool,
        **kwargs: Any,
    ) -> Any:
        from cnnkit.foreign.how_to_read import HowToRead

        size = None if image_size is None else (image_size, image_size)
        how = HowToRead(labels, scaling, resize, size, logits)
        return command(*args, how=how, **kwargs)

    for option in reversed(_OPTIONS):
        with_how = option(with_how)
    return with_how
