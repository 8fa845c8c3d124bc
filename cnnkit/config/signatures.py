"""Which arguments Keras's calls take, and how the arguments of any call are read.

The calls themselves are in keras_api.json, which scripts/generate_keras_api.py writes from Keras,
so that a config is checked without importing TensorFlow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

from cnnkit.config.keras_types import argument_type
from cnnkit.config.problems import (
    Errors,
    bad_value,
    missing_key,
    read_value,
    shown,
    unknown_key,
)
from cnnkit.config.values import Custom, MismatchError, one_of_many, words
from cnnkit.errors import nearest_name

REQUIRED = object()  # in place of a default
OBJECT_FAMILIES = ("initializers", "regularizers", "constraints")


@dataclass(frozen=True)
class Argument:
    """One argument of a call of our own: its type, and its default or REQUIRED."""

    type: Any
    default: Any = REQUIRED


@dataclass(frozen=True)
class KerasArgument:
    """One argument of a Keras class; required if it has no default.

    Its type is only found when it is needed: most arguments of most layers are not given.
    """

    keras_name: str
    name: str
    default: Any = REQUIRED

    @property
    def type(self) -> Any:
        """The type; null is allowed if it is the default."""
        family = object_family(self.name)
        if self.name == "activation":
            kind = one_of_many("the name of an activation", names_of("activations"))
        elif family is not None:
            kind = object_type(family)
        else:
            kind = argument_type(self.keras_name, self.name, self.default)
        return kind | None if self.default is None else kind


Signature = Mapping[str, Argument | KerasArgument]


@cache
def keras_api() -> dict[str, Any]:
    """Return the table that scripts/generate_keras_api.py wrote."""
    # A table in place of Keras itself, whose import takes seconds.
    return json.loads(Path(__file__).with_name("keras_api.json").read_text(encoding="utf-8"))


def names_of(family: str) -> tuple[str, ...]:
    """Return the names of a family: layers, augmentation, optimizers, activations, ..."""
    return tuple(keras_api()[family])


@cache
def keras_signature(family: str, name: str) -> Signature:
    """Return the arguments of a call by its name, in Keras's order."""
    entry = keras_api()[family][name]
    return {
        argument: KerasArgument(entry["class"], argument, facts.get("default", REQUIRED))
        for argument, facts in entry["arguments"].items()
    }


@cache
def object_family(argument: str) -> str | None:
    """Return the family that an argument's value is from: kernel_regularizer -> regularizers."""
    word = argument.rpartition("_")[2]
    return f"{word}s" if f"{word}s" in OBJECT_FAMILIES and word != argument else None


def full_arguments(keras_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with Keras's defaults filled in. Sizes are numbers or lists.

    Args:
        keras_name: a Keras class name, "Conv2D".
        arguments: the arguments given; required ones that are not given are left out.

    Raises:
        KeyError: the class is not in the table.
    """
    facts_by_name = _entries_by_class()[keras_name]["arguments"]
    return {
        name: arguments[name] if name in arguments else facts["default"]
        for name, facts in facts_by_name.items()
        if name in arguments or "default" in facts
    }


@cache
def _entries_by_class() -> dict[str, Any]:
    families = ("augmentation", "optimizers", "layers")
    return {entry["class"]: entry for family in families for entry in keras_api()[family].values()}


def read_arguments(signature: Signature, given: Any, owner: str) -> dict[str, Any]:
    """Return the arguments of a call as plain values, in the order given.

    Args:
        signature: what is allowed.
        given: argument -> value from YAML; or the value of the main argument alone; or None.
        owner: the name of the call, for messages.

    Raises:
        ValidationError: every unknown, missing and wrong argument, each with its name as its path.
    """
    errors = Errors()
    values = {}
    given = _by_name(signature, given, owner)
    for name, value in given.items():
        if name in signature:
            read = partial(read_value, signature[name].type)
            values[name] = errors.read((name,), read, value)
        else:
            errors.add((name,), unknown_key(owner, name, signature, "argument"))
    for name, argument in signature.items():
        if argument.default is REQUIRED and name not in given:
            errors.add((name,), missing_key(name, words(argument.type)))
    errors.finish()
    return values


def main_argument(signature: Signature) -> str | None:
    """Return the argument that may be given without its name: the first, if there is one."""
    # Not the name of the layer: nobody would expect `flatten: x` to be that.
    return next((name for name in signature if name != "name"), None)


def _by_name(signature: Signature, given: Any, owner: str) -> Mapping[str, Any]:
    if given is None or isinstance(given, Mapping):
        return given or {}
    main = main_argument(signature)
    if main is None:
        raise bad_value(f"{owner} takes no value, received {shown(given)}. Remove it.")
    return {main: given}


# --- initialisers, regularisers and constraints


@cache
def object_type(family: str) -> Any:
    """Return the type of `l2`, `{l2: 0.01}` and `{l1_l2: {l1: 0.01, l2: 0.01}}`.

    The value becomes a name, or {name: {argument: value}} with Keras's own arguments.
    """
    # Keras's names are in American English, our messages are in British English.
    word = family.removesuffix("s").replace("izer", "iser")
    article = "an" if word[0] in "aeiou" else "a"
    custom = Custom(
        f"the name of {article} {word}",
        read=lambda value: _read_object(family, word, value),
        schema={"$ref": f"#/$defs/{family}"},
    )
    return Annotated[Any, custom]


def _read_object(family: str, word: str, value: Any) -> Any:
    names = names_of(family)
    listed = [name for name in names if name.islower()]  # the class names are allowed, too
    if isinstance(value, str) and value in names:
        value = {value: None}
    if not isinstance(value, Mapping) or len(value) != 1:
        near = nearest_name(value, names) if isinstance(value, str) else ""
        raise MismatchError(f" Allowed: {', '.join(listed)}.", near)
    name, given = next(iter(value.items()))
    errors = Errors()
    if name not in names:
        errors.add((name,), unknown_key("", name, listed, word))
        errors.finish()
    signature = keras_signature(family, name)
    arguments = errors.read((name,), lambda part: read_arguments(signature, part, name), given)
    errors.finish()
    return {name: arguments} if arguments else name


def object_value(family: str, value: Any) -> dict[str, Any]:
    """Return the value of an initialiser, regulariser or constraint as Keras's `get` takes it.

    >>> object_value("regularizers", {"l2": {"l2": 0.01}})
    {'class_name': 'L2', 'config': {'l2': 0.01}}
    """
    name, arguments = (value, {}) if isinstance(value, str) else next(iter(value.items()))
    return {"class_name": keras_api()[family][name]["class"], "config": dict(arguments)}
