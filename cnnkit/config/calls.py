"""The YAML of a layer, augmentation, optimizer or schedule enters; a `Call` leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cnnkit.config.mistakes import (
    Errors,
    problem,
    unknown_key,
)
from cnnkit.config.own_augmentation import OWN_AUGMENTATION
from cnnkit.config.own_layers import (
    LAYER_ALIASES,
    MACROS,
    OWN_LAYERS,
    PADDED,
    POOL_SIZE,
    POOLS,
    SHORT_NAMES,
    check_pad,
    own_signature,
    pad_signature,
)
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
from cnnkit.config.values import (
    Kind,
    MismatchError,
    choice,
    number,
    whole,
)
from cnnkit.errors import did_you_mean

SCHEDULES: dict[str, Signature] = {
    "constant": {},
    "cosine": {"final_fraction": Argument(number(0, 1), 0.0)},
    "step": {
        "every_epochs": Argument(whole(1)),
        "factor": Argument(number(above=0, below=1), 0.1),
    },
    "plateau": {
        "patience": Argument(whole(1), 3),
        "factor": Argument(number(above=0, below=1), 0.1),
        "min_learning_rate": Argument(number(0), 0.0),
    },
}


@dataclass(frozen=True)
class Call:
    """A name and its arguments, such as `conv: {filters: 32}`.

    Args:
        name: as in the YAML: `conv`, `SeparableConv2D`, `random_flip`, `adam`, `cosine`.
        arguments: plain Python values. Of a layer or augmentation only those that were given; an
            optimizer always has its learning_rate, a schedule all of its arguments. A stack is a
            tuple of Call.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def keras_name(self) -> str | None:
        """The Keras class, or None for a schedule, and a layer or augmentation of our own."""
        if self.name in POOLS:
            default_type = next(iter(POOLS[self.name]))
            return POOLS[self.name][self.arguments.get("type", default_type)]
        if self.name in LAYER_ALIASES:
            return LAYER_ALIASES[self.name]
        families = (keras_api()[family] for family in ("augmentation", "optimizers", "layers"))
        return next((names[self.name]["class"] for names in families if self.name in names), None)

    @property
    def keras_arguments(self) -> dict[str, Any]:
        """The arguments as the Keras constructor takes them; empty for a layer of our own."""
        if self.name in OWN_LAYERS:
            return {}
        given = {"pool_size": POOL_SIZE} | self.arguments if self.name == "pool" else self.arguments
        own = ("type",) if self.name in POOLS else ("pad",)
        return {k: _keras_value(k, v) for k, v in given.items() if k not in own}

    @property
    def full_arguments(self) -> dict[str, Any]:
        """All arguments, with their defaults; empty for a schedule."""
        keras_name = self.keras_name
        if self.name in OWN_AUGMENTATION or self.name in OWN_LAYERS:
            family = "layers" if self.name in OWN_LAYERS else "augmentation"
            defaults = {k: part.default for k, part in signature_of(family, self.name).items()}
            return defaults | self.arguments
        if keras_name is None:
            return {}
        pad = {"pad": self.arguments.get("pad")} if keras_name in PADDED else {}
        return full_arguments(keras_name, self.keras_arguments) | pad

    def to_yaml(self) -> Any:
        """Return the call as YAML data: the name alone, or {name: {arguments}}."""
        arguments = {name: _plain(value) for name, value in self.arguments.items()}
        if self.name in OWN_LAYERS and len(arguments) == 1:
            return {self.name: next(iter(arguments.values()))}
        return {self.name: arguments} if arguments else self.name


def _plain(value: Any) -> Any:
    """Return a value as YAML data: calls, alone or in stacks, as they are written."""
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
        return types | dict(size) | {"pool_size": Argument(size["pool_size"].kind, POOL_SIZE)}
    if name == "global_pool":
        types = {"type": Argument(choice(*POOLS["global_pool"]), "average")}
        return types | dict(keras_signature("layers", "GlobalAveragePooling2D"))
    if name in OWN_LAYERS:
        return own_signature(name, calls_kind("layers", minimum=1))
    keras_name = LAYER_ALIASES.get(name, name)
    arguments = keras_signature("layers", keras_name)
    if keras_name not in PADDED:
        return arguments
    own = {k: argument for k, argument in arguments.items() if k != "name"}
    return {**own, **pad_signature(), "name": arguments["name"]}


def signature_of(family: str, name: str) -> Signature:
    """Return the arguments of a call: family is layers, augmentation, optimizers or schedules."""
    if family == "layers":
        return layer_signature(name)
    if family == "augmentation" and name in OWN_AUGMENTATION:
        return OWN_AUGMENTATION[name]
    return SCHEDULES[name] if family == "schedules" else keras_signature(family, name)


def call_names(family: str) -> tuple[str, ...]:
    """Return every name a family knows; the short names of layers come first."""
    if family == "schedules":
        return tuple(SCHEDULES)
    own = {"layers": SHORT_NAMES, "augmentation": tuple(OWN_AUGMENTATION)}
    return (*own.get(family, ()), *names_of(family))


_WORDS = {
    "layers": ("layer", "a layer"),
    "augmentation": ("augmentation", "an augmentation"),
    "optimizers": ("optimizer", "an optimizer"),
    "schedules": ("schedule", "a schedule"),
}


def read_call(family: str, value: Any) -> Call:
    """Return the call that a YAML value spells: `flatten`, `dropout: 0.5` or `conv: {filters: 32}`.

    Raises:
        MismatchError: the value is neither a name nor one name with its arguments.
        ValidationError: an unknown name, or wrong arguments, each located.
    """
    if isinstance(value, Call):
        return value
    name, given = _name_and_given(family, value)
    errors = Errors()
    if name not in call_names(family):
        is_value = isinstance(value, str)
        kind = "bad_value" if is_value else "unknown_key"
        errors.add(() if is_value else (name,), problem(kind, _unknown_name(family, name)))
        errors.finish()
    arguments = errors.read((name,), lambda part: _arguments(family, name, part), given)
    errors.finish()
    return Call(name, arguments)


def _name_and_given(family: str, value: Any) -> tuple[str, Any]:
    word, article_word = _WORDS[family]
    if isinstance(value, str) and value:
        return value, None
    if not isinstance(value, Mapping) or not value:
        raise MismatchError
    if len(value) > 1:
        first, *rest = value
        is_dedented = value[first] is None
        advice = f"Indent {', '.join(rest)} below {first}." if is_dedented else f"Keep one {word}."
        keys = ", ".join(value)
        message = f"expected {article_word}, one name, received the keys {keys}. {advice}"
        raise problem("bad_value", message)
    return next(iter(value.items()))


def _unknown_name(family: str, name: str) -> str:
    word, _ = _WORDS[family]
    if family != "layers":
        return unknown_key("", name, call_names(family), f'{word} "{name}"').message()
    short = (*SHORT_NAMES, *MACROS)
    near = did_you_mean(name, (*names_of("layers"), *short))  # of two alike, the short name
    listed = ", ".join(short)
    allowed = f"Allowed: {listed}, or a Keras layer by its class name."
    return f'unknown layer "{name}".{near} {allowed}'


def _arguments(family: str, name: str, given: Any) -> dict[str, Any]:
    signature = signature_of(family, name)
    if name == "pool" and given is not None and not isinstance(given, str | Mapping):
        given = {"pool_size": given}
    arguments = read_arguments(signature, given, name)
    if family == "schedules":
        return {k: arguments.get(k, argument.default) for k, argument in signature.items()}
    if family == "optimizers":
        return {"learning_rate": signature["learning_rate"].default} | arguments
    if "pad" in arguments:
        check_pad(arguments)
    return arguments


def _read_all(family: str, values: list[Any] | tuple[Any, ...]) -> tuple[Call, ...]:
    errors = Errors()
    kind = call_kind(family)
    calls = tuple(errors.read((i,), kind.read, value) for i, value in enumerate(values))
    errors.finish()
    return calls


@cache
def call_kind(family: str) -> Kind:
    """Return the kind of one call of a family."""
    expected = f"{_WORDS[family][1]}: a name, or a name with its arguments"
    schema = {"$ref": f"#/$defs/{family}"}
    return Kind(expected, lambda value: read_call(family, value), schema, _plain)


@cache
def calls_kind(family: str, minimum: int = 0) -> Kind:
    """Return the kind of a list of calls, at least `minimum` of them, run in this order."""

    def convert(value: Any) -> tuple[Call, ...]:
        value = [] if value is None and not minimum else value
        if not isinstance(value, list | tuple) or len(value) < minimum:
            raise MismatchError
        return _read_all(family, value)

    word = _WORDS[family][0]
    expected = f"a list of at least one {word}" if minimum else f"a list of {word} calls"
    schema = {"type": "array" if minimum else ["array", "null"], "minItems": minimum}
    schema["items"] = {"$ref": f"#/$defs/{family}"}
    return Kind(expected, convert, schema, _plain)
