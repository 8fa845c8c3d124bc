"""The JSON Schema of a config, with which editors complete and check YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnkit.config.calls import Call, call_names, signature_of
from cnnkit.config.expansion import NAME, REPEAT
from cnnkit.config.schema import Config
from cnnkit.config.signatures import (
    OBJECT_FAMILIES,
    REQUIRED,
    Argument,
    KerasArgument,
    Signature,
    keras_signature,
    main_argument,
    names_of,
)
from cnnkit.config.training_section import TrainingConfig
from cnnkit.config.values import REFERENCE, adapter, renamed

_NAMED = {"$ref": "#/$defs/named"}
# The patterns of a JSON Schema are those of JavaScript, which has no \Z.
_NAMED_SCHEMA = {"type": "string", "pattern": NAME.pattern.replace("\\Z", "$")}
CALL_FAMILIES = ("layers", "augmentation", "optimizers", "schedules", "losses", "loggers")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config, with every layer and its arguments."""
    schema = renamed(Config.model_json_schema(), REFERENCE, "$ref")
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
    """Allow `training:` with nothing below it, as the loader does."""
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
    """Allow `repeat` and `block` among layers, and `$name` as any argument."""
    # The second form in `_calls_schema`: a name with its arguments.
    layers = schema["oneOf"][1]["properties"]
    for forms in layers.values():
        for form in forms["anyOf"]:
            properties = form.get("properties", {})
            properties.update({k: {"anyOf": [part, _NAMED]} for k, part in properties.items()})
        forms["anyOf"].append(_NAMED)
    layers.update(_macros_schema())


def _calls_schema(signatures: Mapping[str, Signature]) -> dict[str, Any]:
    alone = [name for name, signature in signatures.items() if not _required(signature)]
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
    """Return the schema of what follows a name: arguments, only the main one, or nothing."""
    required = _required(signature)
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
        choices.append(_type_schema(signature[main]))
    if main == "type":  # `pool: 3`
        choices += [_type_schema(signature[k]) for k in ("pool_size",) if k in signature]
    if not required:
        choices.append({"type": "null"})
    return {"anyOf": choices}


def _required(signature: Signature) -> list[str]:
    return [name for name, argument in signature.items() if argument.default is REQUIRED]


def _argument_schema(argument: Argument | KerasArgument) -> dict[str, Any]:
    schema = _type_schema(argument)
    return schema if argument.default is REQUIRED else schema | {"default": argument.default}


def _type_schema(argument: Argument | KerasArgument) -> dict[str, Any]:
    return renamed(adapter(argument.type).json_schema(), REFERENCE, "$ref")


def _macros_schema() -> dict[str, Any]:
    """Return the JSON Schema of `repeat` and `block`, by name."""
    layers = {"type": "array", "items": {"$ref": "#/$defs/layers"}, "minItems": 1}
    repeat = {
        "description": "Layers, several times; `$name` stands for the round's value of each.name.",
        "type": "object",
        "properties": {
            "layers": layers,
            "times": _type_schema(REPEAT["times"]),
            "each": _type_schema(REPEAT["each"]),
        },
        "required": ["layers"],
        "additionalProperties": False,
    }
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    block = {
        "description": "The layers of a block of model.blocks; other keys are its `$name` values.",
        "anyOf": [{"type": "string"}, named],
    }
    return {"repeat": repeat, "block": block}
