"""Nothing enters; the short names of layers leave, and the layers that Keras does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnkit.config.argument_values import argument_kind
from cnnkit.config.mistakes import Errors, problem, shown
from cnnkit.config.signatures import Argument, Signature, names_of, read_arguments
from cnnkit.config.values import Kind, MismatchError, choice, either, known_name, nullable, whole

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
POOLS = {
    "pool": {"max": "MaxPooling2D", "average": "AveragePooling2D"},
    "global_pool": {"average": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"},
}
POOL_SIZE = 2  # of `pool` where none is given; Keras's default for one of the two types only
OWN_LAYERS = ("residual", "branches", "squeeze_excite")
MACROS = ("repeat", "block")  # replaced by layers before these are read: cnnkit.config.expansion
SHORT_NAMES = (*LAYER_ALIASES, *POOLS, *OWN_LAYERS)
PADDED = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")  # those that take `pad`
PAD_MODES = ("zeros", "edge", "reflect")


def own_signature(name: str, stack: Kind) -> Signature:
    """Return the arguments of one of OWN_LAYERS.

    Args:
        name: of the layer.
        stack: the kind of a list of layers.
    """
    if name == "residual":
        activation = nullable(known_name("the name of an activation", names_of("activations")))
        return {
            "layers": Argument(stack),
            "shortcut": Argument(nullable(stack), None),
            "activation": Argument(activation, None),
        }
    if name == "branches":
        return {
            "stacks": Argument(_stacks(stack)),
            "merge": Argument(choice("concatenate", "add"), "concatenate"),
        }
    return {"ratio": Argument(whole(1), 16)}


def _stacks(stack: Kind) -> Kind:
    def convert(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) < 2:
            raise MismatchError
        errors = Errors()
        found = tuple(
            () if part in ([], (), None) else errors.read((number,), stack.read, part)
            for number, part in enumerate(value)
        )
        errors.finish()
        return found

    one = {"anyOf": [stack.schema, {"type": ["array", "null"], "maxItems": 0}]}
    schema = {"type": "array", "items": one, "minItems": 2}
    expected = "a list of at least two stacks, each a list of layers, or [] to hand the map on"
    return Kind(expected, convert, schema)


def pad_signature() -> Signature:
    """Return the argument that convolutions have besides those of Keras."""
    border = argument_kind("ZeroPadding2D", "padding", {})
    pad: Signature = {
        "size": Argument(border),
        "mode": Argument(choice(*PAD_MODES), PAD_MODES[0]),
    }

    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, int | list | tuple | Mapping) or isinstance(value, bool):
            raise MismatchError
        return {"mode": PAD_MODES[0], **read_arguments(pad, value, "pad")}

    mode = {"type": "string", "enum": list(PAD_MODES), "default": PAD_MODES[0]}
    mapping = {
        "type": "object",
        "properties": {"size": border.schema, "mode": mode},
        "required": ["size"],
        "additionalProperties": False,
    }
    expected = f"{{size, mode}}, the size {border.expected}, the mode {', '.join(PAD_MODES)}"
    kind = Kind(expected, convert, {"anyOf": [border.schema, mapping]})
    return {"pad": Argument(nullable(either(kind)), None)}


def check_pad(arguments: Mapping[str, Any]) -> None:
    """Refuse two borders at once.

    Raises:
        PydanticCustomError: both `pad` and `padding: same`.
    """
    if arguments.get("pad") is not None and arguments.get("padding") == "same":
        message = (
            f"pad ({shown(arguments['pad']['size'])}) already adds a border; padding: same would "
            "add another. Keep one of the two."
        )
        raise problem("bad_value", message)
