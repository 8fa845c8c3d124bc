"""The layers and augmentations of our own, and our short names for Keras's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from annotated_types import Le
from pydantic import AfterValidator

from cnnkit.config.keras_types import argument_type, border, rising
from cnnkit.config.problems import Errors, bad_value, read_value, shown
from cnnkit.config.signatures import Argument, Signature, names_of, read_arguments
from cnnkit.config.values import (
    Custom,
    MismatchError,
    NumberAbove0,
    Positive,
    choice,
    described,
    list_of,
    one_of_many,
    words,
)

# --- layers

LAYER_ALIASES = {
    "conv": "Conv2D",
    "depthwise_conv": "DepthwiseConv2D",
    "separable_conv": "SeparableConv2D",
    "flatten": "Flatten",
    "dense": "Dense",
    "dropout": "Dropout",
    "spatial_dropout": "SpatialDropout2D",
    "batch_norm": "BatchNormalization",
    "layer_norm": "LayerNormalization",
    "group_norm": "GroupNormalization",
    "activation": "Activation",
}
POOLS = {  # name -> type -> Keras layer; the first type is the default
    "pool": {"max": "MaxPooling2D", "average": "AveragePooling2D"},
    "global_pool": {"average": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"},
}
POOL_SIZE = 2  # the default of `pool`; Keras has this default for max pooling only
OWN_LAYERS = ("residual", "branches", "squeeze_excite")
MACROS = ("repeat", "block")  # cnnkit.config.expansion replaces them by layers
SHORT_NAMES = (*LAYER_ALIASES, *POOLS, *OWN_LAYERS)
PADDED = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")  # the layers that take `pad`
PAD_MODES = ("zeros", "edge", "reflect")  # the first is the default


def own_signature(name: str, stack: Any) -> Signature:
    """Return the arguments of one of OWN_LAYERS.

    Args:
        name: of the layer.
        stack: the type of a list of layers.
    """
    if name == "residual":
        activation = one_of_many("the name of an activation", names_of("activations"))
        return {
            "layers": Argument(stack),
            "shortcut": Argument(stack | None, None),
            "activation": Argument(activation | None, None),
        }
    if name == "branches":
        return {
            "stacks": Argument(_stacks(stack)),
            "merge": Argument(choice("concatenate", "add"), "concatenate"),
        }
    # The ratio of the paper: Hu et al. 2018, arXiv:1709.01507.
    return {"ratio": Argument(Positive, 16)}


def _stacks(stack: Any) -> Any:
    def read_stack(value: Any) -> tuple[Any, ...]:
        return () if value in ([], (), None) else read_value(stack, value)

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) < 2:
            raise MismatchError
        errors = Errors()
        found = tuple(errors.read((i,), read_stack, part) for i, part in enumerate(value))
        errors.finish()
        return found

    stack_schema = {"type": "array", "items": {"$ref": "#/$defs/layers"}}
    one = {"anyOf": [stack_schema, {"type": "null"}]}
    schema = {"type": "array", "items": one, "minItems": 2}
    expected = "a list of at least two stacks, each a list of layers, or [] for the map unchanged"
    return Annotated[Any, Custom(expected, read=read, schema=schema)]


def pad_signature() -> Signature:
    """Return the argument that convolutions have in addition to those of Keras."""
    custom = Custom(
        f"{{size, mode}}, the size {words(_Border)}, the mode {', '.join(PAD_MODES)}",
        read=_read_pad,
        schema={"anyOf": [_BORDER_SCHEMA, _PAD_SCHEMA]},
    )
    return {"pad": Argument(Annotated[Any, custom] | None, None)}


_Border = border()
_PAD: Signature = {
    "size": Argument(_Border),
    "mode": Argument(choice(*PAD_MODES), PAD_MODES[0]),
}


def _read_pad(value: Any) -> dict[str, Any]:
    if not isinstance(value, int | list | tuple | Mapping) or isinstance(value, bool):
        raise MismatchError
    if isinstance(value, Mapping):
        return {"mode": PAD_MODES[0], **read_arguments(_PAD, value, "pad")}
    return {"mode": PAD_MODES[0], "size": read_value(_Border, value)}


_WIDTH_SCHEMA = {"type": "integer", "minimum": 0}
_BORDER_SCHEMA = {
    "anyOf": [
        _WIDTH_SCHEMA,
        {
            "type": "array",
            "items": {
                "anyOf": [
                    _WIDTH_SCHEMA,
                    {"type": "array", "items": _WIDTH_SCHEMA, "minItems": 2, "maxItems": 2},
                ]
            },
            "minItems": 2,
            "maxItems": 2,
        },
    ]
}
_PAD_SCHEMA = {
    "type": "object",
    "properties": {
        "size": _BORDER_SCHEMA,
        "mode": {"type": "string", "enum": list(PAD_MODES), "default": PAD_MODES[0]},
    },
    "required": ["size"],
    "additionalProperties": False,
}


def check_pad(arguments: Mapping[str, Any]) -> None:
    """Refuse two borders at once.

    Raises:
        PydanticCustomError: both `pad` and `padding: same`.
    """
    if arguments.get("pad") is not None and arguments.get("padding") == "same":
        raise bad_value(
            f"pad ({shown(arguments['pad']['size'])}) already adds a border, and padding: same "
            "would add another. Keep one of the two."
        )


# --- augmentations


_Share = Annotated[NumberAbove0, Le(1)]


def _rising_pair(number: Any, expected: str) -> Any:
    return described(Annotated[list_of(number, 2), AfterValidator(rising)], expected)


OWN_AUGMENTATION: dict[str, Signature] = {
    # The limits of torchvision, which follow Szegedy et al. 2015, arXiv:1409.4842.
    "random_resized_crop": {
        "scale": Argument(
            _rising_pair(_Share, "a pair of numbers above 0 and at most 1"), [0.08, 1.0]
        ),
        "ratio": Argument(_rising_pair(NumberAbove0, "a pair of numbers above 0"), [0.75, 1.333]),
    },
    # The default of Keras's MixUp, which is within what the paper uses for ImageNet.
    "mixup": {"alpha": Argument(NumberAbove0, 0.2)},
    "cutmix": {"factor": Argument(argument_type("CutMix", "factor", 1.0), 1.0)},
}
MIXING = ("mixup", "cutmix")  # these mix the images of a batch, and their labels


def misplaced_mixing(calls: Sequence[Any]) -> tuple[int, str] | None:
    """Return the index of the first mixup or cutmix that is misplaced, and why; None for none."""
    names = [call.name for call in calls]
    for index, name in enumerate(names):
        if name not in MIXING:
            continue
        if name in names[:index]:
            return index, f"{name} is given twice. Keep one of them."
        later = next((other for other in names[index:] if other not in MIXING), None)
        if later:
            return index, (
                f"{name} mixes the images of a batch after all other changes, so it must come "
                f"last. Move {later} above it."
            )
    return None
