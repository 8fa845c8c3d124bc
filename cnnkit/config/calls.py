"""Layers, augmentations, optimizers and schedules: a name and its arguments, read into a `Call`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from cnnkit.config.own_calls import (
    LAYER_ALIASES,
    MACROS,
    OWN_AUGMENTATION,
    OWN_LAYERS,
    PADDED,
    POOL_SIZE,
    POOLS,
    SHORT_NAMES,
    check_pad,
    own_signature,
    pad_signature,
)
from cnnkit.config.problems import Errors, bad_value, read_value, shown, wrong_key
from cnnkit.config.signatures import (
    Argument,
    Signature,
    full_arguments,
    keras_api,
    keras_signature,
    names_of,
    object_family,
    object_value,
    read_arguments,
)
from cnnkit.config.training_calls import OWN_OPTIMIZERS, TRAINING_CALLS, check_schedule
from cnnkit.config.values import REFERENCE, Custom, Expected, MismatchError, choice
from cnnkit.errors import nearest_name, suggested


@dataclass(frozen=True)
class Call:
    """A name and its arguments, such as `conv: {filters: 32}`.

    Args:
        name: as in the YAML: `conv`, `SeparableConv2D`, `random_flip`, `adam`, `cosine`.
        arguments: plain Python values, which must not be changed. A layer or augmentation has
            only the arguments that were given; an optimizer always has its learning_rate, and a
            schedule or a loss has all of its arguments. A stack of layers is a tuple of Call.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def keras_name(self) -> str | None:
        """The Keras class; None for a schedule, and for a layer or augmentation of our own."""
        if self.name in POOLS:
            default_type = next(iter(POOLS[self.name]))
            return POOLS[self.name][self.arguments.get("type", default_type)]
        if self.name in LAYER_ALIASES:
            return LAYER_ALIASES[self.name]
        for family in ("augmentation", "optimizers", "layers"):
            if self.name in keras_api()[family]:
                return keras_api()[family][self.name]["class"]
        return None

    @cached_property
    def keras_arguments(self) -> dict[str, Any]:
        """The arguments for the Keras constructor; empty for a layer of our own."""
        if self.name in OWN_LAYERS:
            return {}
        # Keras has a default for max pooling only, so ours is always passed on.
        given = {"pool_size": POOL_SIZE} | self.arguments if self.name == "pool" else self.arguments
        # The type of a pool is in keras_name; a layer of its own adds the border of `pad`.
        own = ("type",) if self.name in POOLS else ("pad",)
        return {k: _keras_value(k, v) for k, v in given.items() if k not in own}

    @cached_property
    def full_arguments(self) -> dict[str, Any]:
        """All arguments, with defaults filled in; empty for a schedule."""
        keras_name = self.keras_name
        own = {**OWN_AUGMENTATION, **OWN_OPTIMIZERS}.get(self.name)
        if self.name in OWN_LAYERS:
            own = layer_signature(self.name)
        if own is not None:
            return {k: part.default for k, part in own.items()} | self.arguments
        if keras_name is None:
            return {}
        pad = {"pad": self.arguments.get("pad")} if keras_name in PADDED else {}
        return full_arguments(keras_name, self.keras_arguments) | pad

    def to_yaml(self) -> Any:
        """Return the call as YAML data: only the name, or {name: {arguments}}."""
        arguments = {name: _plain(value) for name, value in self.arguments.items()}
        if self.name in OWN_LAYERS and len(arguments) == 1:
            return {self.name: next(iter(arguments.values()))}  # `residual: [...]`
        return {self.name: arguments} if arguments else self.name


def _plain(value: Any) -> Any:
    """Return a value as YAML data, with every call in it as it is written in YAML."""
    if isinstance(value, Call):
        return value.to_yaml()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _keras_value(argument: str, value: Any) -> Any:
    family = object_family(argument)
    return value if family is None or value is None else object_value(family, value)


@cache
def layer_signature(name: str) -> Signature:
    """Return the arguments of a layer by its name in the config."""
    if name == "pool":
        size = keras_signature("layers", "MaxPooling2D")
        types = {"type": Argument(choice(*POOLS["pool"]), "max")}
        # Both types of pool have the same arguments, except for the default of pool_size.
        return types | dict(size) | {"pool_size": Argument(size["pool_size"].type, POOL_SIZE)}
    if name == "global_pool":
        types = {"type": Argument(choice(*POOLS["global_pool"]), "average")}
        return types | dict(keras_signature("layers", "GlobalAveragePooling2D"))
    if name in OWN_LAYERS:
        return own_signature(name, Layers)
    keras_name = LAYER_ALIASES.get(name, name)
    arguments = keras_signature("layers", keras_name)
    if keras_name not in PADDED:
        return arguments
    others = {k: argument for k, argument in arguments.items() if k != "name"}
    return {**others, **pad_signature(), "name": arguments["name"]}  # `name` is listed last


def signature_of(family: str, name: str) -> Signature:
    """Return the arguments of a call of one of the families in `_WORDS`."""
    if family == "layers":
        return layer_signature(name)
    own = _OWN_SIGNATURES[family]
    return own[name] if name in own else keras_signature(family, name)


_OWN_SIGNATURES = {
    "augmentation": OWN_AUGMENTATION,
    **TRAINING_CALLS,
}
_ONLY_OWN = ("schedules", "losses", "loggers")  # families whose names are all listed here


@cache
def call_names(family: str) -> tuple[str, ...]:
    """Return every name in a family; the short names of layers come first."""
    if family == "layers":
        return (*SHORT_NAMES, *names_of(family))
    keras_names = () if family in _ONLY_OWN else names_of(family)
    return (*keras_names, *_OWN_SIGNATURES[family])


_WORDS = {  # family -> what one of its calls is called
    "layers": "layer",
    "augmentation": "augmentation",
    "optimizers": "optimizer",
    "schedules": "schedule",
    "losses": "loss",
    "loggers": "logger",
}


def read_call(family: str, value: Any) -> Call:
    """Return the call that a YAML value holds: `flatten`, `dropout: 0.5`, `conv: {filters: 32}`.

    Raises:
        PydanticCustomError: the value is not one known name, with or without arguments.
        ValidationError: wrong arguments, each with its path.
    """
    if isinstance(value, Call):
        return value
    name, given = _name_and_given(family, value)
    errors = Errors()
    if name not in call_names(family):
        message, near = _unknown_name(family, name)
        if isinstance(value, str):
            raise bad_value(message, near)
        errors.add((name,), wrong_key(message, near))
        errors.finish()
    arguments = errors.read((name,), lambda part: _arguments(family, name, part), given)
    errors.finish()
    return Call(name, arguments)


def _name_and_given(family: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str) and value:
        return value, None
    if not isinstance(value, Mapping) or not value:
        raise bad_value(f"expected {_words_of_one(family)}, received {shown(value)}.")
    if len(value) > 1:
        first, *rest = value
        keys, word = ", ".join(value), _WORDS[family]
        # `- conv:` with its arguments below it, but indented too little, reads as several keys.
        is_dedented = value[first] is None
        advice = f"Indent {', '.join(rest)} below {first}." if is_dedented else f"Keep one {word}."
        raise bad_value(f"expected one {word} name, received the keys {keys}. {advice}")
    return next(iter(value.items()))


def _unknown_name(family: str, name: str) -> tuple[str, str]:
    """Return the message and the nearest name."""
    names = call_names(family)
    near, allowed = nearest_name(name, names), ", ".join(names)
    if family == "layers":
        short = (*SHORT_NAMES, *MACROS)
        near = nearest_name(name, (*names_of("layers"), *short))  # of two alike, the short name
        allowed = f"{', '.join(short)}, or a Keras layer by its class name"
    return f'unknown {_WORDS[family]} "{name}".{suggested(near)} Allowed: {allowed}.', near


def _arguments(family: str, name: str, given: Any) -> dict[str, Any]:
    signature = signature_of(family, name)
    if name == "pool" and given is not None and not isinstance(given, str | Mapping):
        given = {"pool_size": given}  # `pool: 3`, although the main argument is the type
    arguments = read_arguments(signature, given, name)
    if family == "schedules":
        check_schedule(arguments)
    if family in _ONLY_OWN:
        return {k: arguments.get(k, argument.default) for k, argument in signature.items()}
    if family == "optimizers":  # the default is written into the config: it is what people look for
        return {"learning_rate": signature["learning_rate"].default} | arguments
    if "pad" in arguments:
        check_pad(arguments)
    return arguments


# --- types for the sections of a config


def _words_of_one(family: str) -> str:
    word = _WORDS[family]
    return f"{'an' if word[0] in 'ao' else 'a'} {word}: a name, or a name with its arguments"


def _call_of(family: str) -> Custom:
    return Custom(
        _words_of_one(family),
        read=partial(read_call, family),
        schema={"$ref": f"#/$defs/{family}"},
        write=_plain,
    )


def _empty_if_null(value: Any) -> Any:
    return [] if value is None else value  # `augmentation:` with nothing below it


def _refuse_empty(value: Any) -> Any:
    # Not Len(1): pydantic leaves out wrong layers when it counts, and would call the list empty.
    if value == []:
        raise MismatchError
    return value


def _list_schema(family: str, **more: Any) -> WithJsonSchema:
    items = {REFERENCE: f"#/$defs/{family}"}
    return WithJsonSchema({"type": "array", "items": items} | more)


Layer = Annotated[Call, _call_of("layers")]
Optimizer = Annotated[Call, _call_of("optimizers")]
Schedule = Annotated[Call, _call_of("schedules")]
Loss = Annotated[Call, _call_of("losses")]
_Logger = Annotated[Call, _call_of("loggers")]
_Augmentation = Annotated[Call, _call_of("augmentation")]

Layers = Annotated[
    tuple[Layer, ...],
    BeforeValidator(_refuse_empty),
    Expected("a list of at least one layer"),
    _list_schema("layers", minItems=1),
]
HeadLayers = Annotated[tuple[Layer, ...], Expected("a list of layers"), _list_schema("layers")]
Augmentations = Annotated[
    tuple[_Augmentation, ...],
    BeforeValidator(_empty_if_null),
    Expected("a list of augmentations"),
    _list_schema("augmentation", type=["array", "null"]),
]


Loggers = Annotated[
    tuple[_Logger, ...], Expected("a list of loggers"), _list_schema("loggers", type="array")
]


def read_layers(values: Iterable[Any]) -> tuple[Call, ...]:
    """Return the layers that a list of YAML values holds.

    Raises:
        PydanticCustomError: it is not a list.
        ValidationError: wrong layers, each with its path.
    """
    return read_value(HeadLayers, list(values))
