"""The name of a Keras call enters; its arguments leave, each with its kind and default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cnnkit.config.argument_values import argument_kind
from cnnkit.config.mistakes import (
    Errors,
    missing_key,
    problem,
    shown,
    unknown_key,
)
from cnnkit.config.values import (
    Kind,
    MismatchError,
    known_name,
    nullable,
    plain,
)
from cnnkit.errors import did_you_mean

REQUIRED = object()  # in place of a default
OBJECT_FAMILIES = ("initializers", "regularizers", "constraints")


@dataclass(frozen=True)
class Argument:
    """One argument of a call: what it may be, and its default or REQUIRED."""

    kind: Kind
    default: Any = REQUIRED


Signature = Mapping[str, Argument]


@cache
def keras_api() -> dict[str, Any]:
    """Return the table that scripts/generate_keras_api.py wrote."""
    return json.loads(Path(__file__).with_name("keras_api.json").read_text(encoding="utf-8"))


def names_of(family: str) -> tuple[str, ...]:
    """Return the names of a family: layers, augmentation, optimizers, activations, ..."""
    return tuple(keras_api()[family])


@cache
def keras_signature(family: str, name: str) -> Signature:
    """Return the arguments of a call by name, in Keras's order."""
    entry = keras_api()[family][name]
    return {
        argument: Argument(
            _argument_kind(entry["class"], argument, facts), facts.get("default", REQUIRED)
        )
        for argument, facts in entry["arguments"].items()
    }


def _argument_kind(keras_name: str, argument: str, facts: Mapping[str, Any]) -> Kind:
    if argument == "activation":
        kind = known_name("the name of an activation", names_of("activations"))
        return nullable(kind) if facts.get("default", ...) is None else kind
    family = object_family(argument)
    if family is None:
        return argument_kind(keras_name, argument, facts)
    kind = object_kind(family)
    return nullable(kind) if facts.get("default", ...) is None else kind


def object_family(argument: str) -> str | None:
    """Return the family an argument's value is from: kernel_regularizer -> regularizers."""
    families = (f for f in OBJECT_FAMILIES if argument.endswith("_" + f.removesuffix("s")))
    return next(families, None)


def full_arguments(keras_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with Keras's defaults filled in. Sizes are numbers or lists.

    Args:
        keras_name: a Keras class name, "Conv2D".
        arguments: the arguments given; required ones that are not given stay out.

    Raises:
        KeyError: the class is not in the table.
    """
    facts_by_name = _entries_by_class()[keras_name]["arguments"]
    return {
        name: arguments[name] if name in arguments else plain(facts["default"])
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
        owner: the call's name, for the messages.

    Raises:
        ValidationError: every unknown, missing and wrong argument, located by its name.
    """
    errors = Errors()
    values = {}
    given = _named(signature, given, owner)
    for name, value in given.items():
        if name in signature:
            values[name] = errors.read((name,), signature[name].kind.read, value)
        else:
            errors.add((name,), unknown_key(owner, name, signature, "argument"))
    for name, argument in signature.items():
        if argument.default is REQUIRED and name not in given:
            errors.add((name,), missing_key(name, argument.kind.expected))
    errors.finish()
    return values


def main_argument(signature: Signature) -> str | None:
    """Return the argument that may be given without its name: the first one, if there is one."""
    return next((name for name in signature if name != "name"), None)


def _named(signature: Signature, given: Any, owner: str) -> Mapping[str, Any]:
    if given is None or isinstance(given, Mapping):
        return given or {}
    main = main_argument(signature)
    if main is None:
        raise problem("bad_value", f"{owner} takes no value, received {shown(given)}. Remove it.")
    return {main: given}


def takes_no_arguments(signature: Signature) -> bool:
    """Tell whether the name alone is a whole call: no argument is required."""
    return all(argument.default is not REQUIRED for argument in signature.values())


@cache
def object_kind(family: str) -> Kind:
    """Return the kind of `l2`, `{l2: 0.01}` and `{l1_l2: {l1: 0.01, l2: 0.01}}`.

    The value becomes a name, or {name: {argument: value}} with Keras's own arguments.
    """
    word = family.removesuffix("s").replace("izer", "iser")
    article = "an" if word[0] in "aeiou" else "a"
    return Kind(
        f"the name of {article} {word}",
        lambda value: _read_object(family, word, value),
        {"$ref": f"#/$defs/{family}"},
    )


def _read_object(family: str, word: str, value: Any) -> Any:
    names = names_of(family)
    listed = [name for name in names if name.islower()]
    if isinstance(value, str):
        if value not in names:
            raise MismatchError(f"{did_you_mean(value, names)} Allowed: {', '.join(listed)}.")
        value = {value: None}
    if not isinstance(value, Mapping) or len(value) != 1:
        raise MismatchError(f" Allowed: {', '.join(listed)}.")
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
