"""Nothing enters; what `repeat` and `block` take leaves, and their JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnkit.config.signatures import Argument, Signature
from cnnkit.config.values import Kind, MismatchError, whole


def _list_kind(expected: str) -> Kind:
    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise MismatchError
        return value

    return Kind(expected, convert, {"type": "array", "minItems": 1})


def _each_kind() -> Kind:
    def convert(value: Any) -> Mapping[str, list[Any]]:
        if not isinstance(value, Mapping) or not value:
            raise MismatchError
        if any(not isinstance(part, list) or not part for part in value.values()):
            raise MismatchError
        return value

    values = {"type": "array", "minItems": 1}
    schema = {"type": "object", "additionalProperties": values, "minProperties": 1}
    return Kind("names, each with the list of its values", convert, schema)


REPEAT: Signature = {
    "layers": Argument(_list_kind("a list of at least one layer")),
    "times": Argument(whole(1, 1000), None),
    "each": Argument(_each_kind(), None),
}


def macros_schema() -> dict[str, Any]:
    """Return the JSON Schema of `repeat` and `block`, by name."""
    layers = {"type": "array", "items": {"$ref": "#/$defs/layers"}, "minItems": 1}
    either = [REPEAT[name].kind.schema for name in ("times", "each")]
    repeat = {
        "description": "Layers, several times; `$name` stands for the round's value of each.name.",
        "type": "object",
        "properties": {"layers": layers, "times": either[0], "each": either[1]},
        "required": ["layers"],
        "additionalProperties": False,
    }
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    block = {
        "description": "The layers of a block of model.blocks; other keys are its `$name` values.",
        "anyOf": [{"type": "string"}, named],
    }
    return {"repeat": repeat, "block": block}
