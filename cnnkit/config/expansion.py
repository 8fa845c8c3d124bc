"""Layers as written enter, with `repeat`, `block` and `$name`; layers alone leave.

`repeat` and `block` only save writing: what they stand for takes their place before the layers are
read. Where each layer was written is kept, so that a mistake in it is reported there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from cnnkit.config.kinds import Kind, MismatchError, whole
from cnnkit.config.mistakes import shown
from cnnkit.config.own_layers import MACROS
from cnnkit.config.problems import Row, dotted, rows_of
from cnnkit.config.signatures import Argument, Signature, read_arguments
from cnnkit.config.yaml_reader import Path
from cnnkit.errors import did_you_mean

MAX_LAYERS = 10_000  # of a stack with everything written out
STACKS = ("layers", "head")  # of the model section
NAME = re.compile(r"\$([A-Za-z_]\w*)\Z")


def expand(config: dict[str, Any]) -> Expansion:
    """Write the repeats and blocks of `model.layers` and `model.head` out, in place.

    Where there are mistakes in them, a stack that is right takes the place of the layers.
    """
    expansion = Expansion(config)
    model = config.get("model")
    if isinstance(model, Mapping):
        written = {key: value for key, value in model.items() if key != "blocks"}
        for key in STACKS:
            if isinstance(model.get(key), list):
                layers = expansion.write_out(key, model[key], model.get("blocks"))
                written[key] = ["flatten"] if expansion.rows else layers
        config["model"] = written
    return expansion


@dataclass(frozen=True)
class _Scope:
    """The values of `$name` at one place, those that were used, and how we came there."""

    values: Mapping[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    words: str = ""


class Expansion:
    """What became of the repeats and blocks of a config.

    Args:
        config: the plain data, which holds the layers written out when this is done.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.rows: list[Row] = []
        self._config = config
        self._blocks: Mapping[str, Any] = {}
        self._open: list[str] = []  # the blocks we are inside of
        self._origins: dict[Path, tuple[Path, str]] = {}
        self._num_written = 0

    def written(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield rows about the config with the paths as they are in the file, each mistake once."""
        seen = set()
        for path, subject, message in rows:
            source, words = self._origin(_as_written(path, self._config))
            if (source, message) not in seen:
                seen.add((source, message))
                yield source, subject, message + words

    def _origin(self, path: Path) -> tuple[Path, str]:
        for end in range(len(path), 0, -1):
            if path[:end] in self._origins:
                source, words = self._origins[path[:end]]
                return (*source, *path[end:]), words
        return path, ""

    def write_out(self, key: str, layers: list[Any], blocks: Any) -> list[Any]:
        """Return the layers of a key with everything written out; mistakes become rows."""
        if isinstance(blocks, Mapping):
            self._blocks = blocks
        elif blocks is not None:
            message = f"expected names, each with a list of layers, received {shown(blocks)}."
            self.rows.append((("model", "blocks"), "value", message))
        path = ("model", key)
        return self._list(layers, path, path, _Scope())

    def _value(self, value: Any, source: Path, target: Path, scope: _Scope) -> Any:
        if isinstance(value, str) and value.startswith("$"):
            return self._named(value, source, scope)
        if isinstance(value, list):
            return self._list(value, source, target, scope)
        if not isinstance(value, Mapping):
            return value
        return {
            key: self._value(part, (*source, key), (*target, key), scope)
            for key, part in value.items()
        }

    def _named(self, text: str, source: Path, scope: _Scope) -> Any:
        found = NAME.match(text)
        if found and found[1] in scope.values:
            scope.used.add(found[1])
            return scope.values[found[1]]
        near = did_you_mean(text, [f"${name}" for name in scope.values])
        known = ", ".join(f"${name}" for name in scope.values)
        here = f"Values here: {known}." if known else "Only inside a repeat or a block there are."
        self.rows.append((source, "value", f"there is no value {text}.{near} {here}"))
        return None

    def _list(self, entries: list[Any], source: Path, target: Path, scope: _Scope) -> list[Any]:
        found: list[Any] = []
        self._fill(found, entries, source, target, scope)
        return found

    def _fill(
        self, found: list[Any], entries: list[Any], source: Path, target: Path, scope: _Scope
    ) -> None:
        """Append what the entries stand for."""
        for index, entry in enumerate(entries):
            here = (*source, index)
            if self._is_too_long(entry, here):
                return
            word = next(iter(entry)) if isinstance(entry, Mapping) and len(entry) == 1 else None
            if word in MACROS:
                write = self._repeat if word == "repeat" else self._block
                try:
                    write(found, entry[word], (*here, word), target, scope)
                except ValidationError as error:
                    rows = rows_of(error)
                    self.rows += [((*here, word, *path), *rest) for path, *rest in rows]
                continue
            place = (*target, len(found))
            if place != here or scope.words:
                self._origins[place] = (here, scope.words)
            found.append(self._value(entry, here, place, scope))

    def _is_too_long(self, entry: Any, here: Path) -> bool:
        """Count an entry; repeats and blocks, too, so that those that write nothing end as well."""
        if isinstance(entry, Mapping) or (isinstance(entry, str) and not NAME.match(entry)):
            self._num_written += 1  # not a number of a list such as kernel_size: [3, 3]
        if self._num_written == MAX_LAYERS + 1:
            self._num_written += 1  # said once
            message = f"repeats and blocks make more than {MAX_LAYERS:,} layers of this."
            self.rows.append((here, "value", message))
        return self._num_written > MAX_LAYERS

    def _repeat(
        self, found: list[Any], given: Any, here: Path, target: Path, scope: _Scope
    ) -> None:
        num_mistakes = len(self.rows)
        if isinstance(given, Mapping):  # the values, but not yet the layers that are written here
            known = {k: v for k, v in given.items() if k != "layers" or isinstance(v, str)}
            given = {**given, **self._value(known, here, here, scope)}
        if len(self.rows) > num_mistakes:
            return
        arguments = read_arguments(_REPEAT, given, "repeat")
        lengths = {f"each.{name}": len(part) for name, part in arguments.get("each", {}).items()}
        if "times" in arguments:
            lengths = {"times": arguments["times"], **lengths}
        if len(set(lengths.values())) != 1:
            self.rows.append((here, "value", _lengths_message(lengths)))
            return
        rounds, each = next(iter(lengths.values())), arguments.get("each", {})
        used: set[str] = set()
        for number in range(rounds):
            values = {name: part[number] for name, part in each.items()}
            words = f" (In round {number + 1} of {rounds} of this repeat.)" + scope.words
            inner = _Scope({**scope.values, **values}, used, words)
            if len(self.rows) == num_mistakes:  # those of one round are enough
                self._fill(found, arguments["layers"], (*here, "layers"), target, inner)
        scope.used.update(used - set(each))
        self._refuse_unused(set(each) - used, (*here, "each"), num_mistakes)

    def _block(self, found: list[Any], given: Any, here: Path, target: Path, scope: _Scope) -> None:
        values = {"name": given} if isinstance(given, str) else given
        name = values.get("name") if isinstance(values, Mapping) else None
        if not isinstance(name, str) or not isinstance(self._blocks.get(name), list):
            self.rows.append((here, "value", self._block_message(given, name)))
            return
        if name in self._open:
            self.rows.append((here, "value", f"the block {name} holds itself."))
            return
        given_values = {key: value for key, value in values.items() if key != "name"}
        known = self._value(given_values, here, here, scope)
        num_mistakes = len(self.rows)
        inner = _Scope(known, set(), f" (In the block {name}, used at {dotted(here)}.)")
        self._open.append(name)
        self._fill(found, self._blocks[name], ("model", "blocks", name), target, inner)
        self._open.pop()
        self._refuse_unused(set(known) - inner.used, here, num_mistakes)

    def _refuse_unused(self, names: set[str], here: Path, num_mistakes: int) -> None:
        """Say which values nothing asks for, unless other mistakes may be the reason."""
        if len(self.rows) > num_mistakes:
            return
        for name in sorted(names):
            message = f"none of the layers has ${name}, so this changes nothing. Remove it."
            self.rows.append(((*here, name), "key", message))

    def _block_message(self, given: Any, name: Any) -> str:
        if not isinstance(name, str):
            return f"expected the name of a block, or {{name: ...}}, received {shown(given)}."
        if name in self._blocks:
            received = shown(self._blocks[name])
            return f"model.blocks.{name} must be a list of layers, received {received}."
        listed = f" There are: {', '.join(self._blocks)}." if self._blocks else ""
        near = did_you_mean(name, tuple(self._blocks))
        return f"there is no block {name} in model.blocks.{near}{listed}"


def _lengths_message(lengths: Mapping[str, int]) -> str:
    if not lengths:
        return (
            "say how often: times: 3, or lists of values in each, as in each: {filters: [32, 64]}."
        )
    given = ", ".join(f"{name} {length}" for name, length in lengths.items())
    return f"times and the lists in each must agree on the number of rounds, received {given}."


def _as_written(path: Path, data: Any) -> Path:
    """Return the path without the words that a list alone leaves out: residual[0] has no layers."""
    found: list[str | int] = []
    for part in path:
        if isinstance(data, list) and isinstance(part, str):
            continue
        found.append(part)
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            data = None
    return tuple(found)


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


_REPEAT: Signature = {
    "layers": Argument(_list_kind("a list of at least one layer")),
    "times": Argument(whole(1, 1000), None),
    "each": Argument(_each_kind(), None),
}


def macros_schema() -> dict[str, Any]:
    """Return the JSON Schema of `repeat` and `block`, by name."""
    layers = {"type": "array", "items": {"$ref": "#/$defs/layers"}, "minItems": 1}
    either = [_REPEAT[name].kind.schema for name in ("times", "each")]
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
