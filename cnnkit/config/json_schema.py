"""Nothing enters; the JSON Schema of a config leaves, for editors that complete and check YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnkit.config.calls import Call, call_names, signature_of
from cnnkit.config.expansion import NAME
from cnnkit.config.macros import macros_schema
from cnnkit.config.schema import Config
from cnnkit.config.signatures import (
    OBJECT_FAMILIES,
    REQUIRED,
    Argument,
    Signature,
    keras_signature,
    main_argument,
    names_of,
    takes_no_arguments,
)
from cnnkit.config.training_section import TrainingConfig
from cnnkit.config.values import with_references

_NAMED = {"$ref": "#/$defs/named"}
_NAMED_SCHEMA = {"type": "string", "pattern": NAME.pattern.replace("\\Z", "$")}
CALL_FAMILIES = ("layers", "augmentation", "optimizers", "schedules")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config, with every layer and its arguments."""
    schema = with_references(Config.model_json_schema())
    for section in [schema, *schema["$defs"].values()]:
        _allow_nothing(section)
    _write_call_defaults(schema["$defs"]["TrainingConfig"])
    schema["patternProperties"] = {"^x-": {"description": "Ignored: a place for anchors."}}
    for family in OBJECT_FAMILIES:
        signatures = {name: keras_signature(family, name) for name in names_of(family)}
        schema["$defs"][family] = _calls_schema(signatures)
    for family in CALL_FAMILIES:
        schema["$defs"][family] = _family_schema(family)
    schema["$defs"]["named"] = {"description": "A value of a repeat or a block.", **_NAMED_SCHEMA}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _allow_nothing(section: dict[str, Any]) -> None:
    """Let `training:` with nothing below it stand, as the loader does."""
    if section.get("type") == "object":
        section["type"] = ["object", "null"]


def _write_call_defaults(section: dict[str, Any]) -> None:
    """Show default calls as they are written in YAML, not as the fields of `Call`."""
    for name, field in TrainingConfig.model_fields.items():
        if isinstance(field.default, Call):
            section["properties"][name]["default"] = field.default.to_yaml()


def _family_schema(family: str) -> dict[str, Any]:
    schema = _calls_schema({name: signature_of(family, name) for name in call_names(family)})
    if family == "layers":
        _allow_macros(schema)
    return schema


def _allow_macros(schema: dict[str, Any]) -> None:
    """Let `repeat` and `block` stand among layers, and `$name` for any argument."""
    layers = schema["oneOf"][1]["properties"]
    for forms in layers.values():
        for form in forms["anyOf"]:
            properties = form.get("properties", {})
            properties.update({k: {"anyOf": [part, _NAMED]} for k, part in properties.items()})
        forms["anyOf"].append(_NAMED)
    layers.update(macros_schema())


def _calls_schema(signatures: Mapping[str, Signature]) -> dict[str, Any]:
    alone = [name for name, signature in signatures.items() if takes_no_arguments(signature)]
    return {
        "oneOf": [
            {"type": "string", "enum": alone},
            {
                "type": "object",
                "properties": {name: _arguments_schema(s) for name, s in signatures.items()},
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
            },
        ]
    }


def _arguments_schema(signature: Signature) -> dict[str, Any]:
    """Return the schema of what follows a name: arguments, the main one alone, or nothing."""
    required = [name for name, argument in signature.items() if argument.default is REQUIRED]
    mapping: dict[str, Any] = {
        "type": "object",
        "properties": {name: _argument_schema(argument) for name, argument in signature.items()},
        "additionalProperties": False,
    }
    if required:
        mapping["required"] = required
    choices = [mapping]
    main = main_argument(signature)
    if main and required in ([], [main]):
        choices.append(dict(signature[main].kind.schema))
    if main == "type":  # `pool: 3`
        choices += [dict(signature[k].kind.schema) for k in ("pool_size",) if k in signature]
    if not required:
        choices.append({"type": "null"})
    return {"anyOf": choices}


def _argument_schema(argument: Argument) -> dict[str, Any]:
    schema = dict(argument.kind.schema)
    return schema if argument.default is REQUIRED else schema | {"default": argument.default}
