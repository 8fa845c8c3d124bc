"""Layers as written enter, with `repeat`, `block` and `$name`; layers alone leave.

`repeat` and `block` only save writing: what they stand for takes their place before the layers are
read. Where each layer was written is kept, so that a mistake in it is reported there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from cnnkit.config.macros import REPEAT
from cnnkit.config.mistakes import shown
from cnnkit.config.own_layers import MACROS
from cnnkit.config.problems import Row, dotted, rows_of
from cnnkit.config.signatures import read_arguments
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
        expansion.read_blocks(model.get("blocks"))
        for key in STACKS:
            if isinstance(model.get(key), list):
                layers = expansion.write_out(key, model[key])
                written[key] = ["flatten"] if expansion.rows else layers
        expansion.refuse_unused_blocks()
        config["model"] = written
    return expansion


@dataclass(frozen=True)
class _Scope:
    """The values of `$name` at one place, those that were used, and how we came there."""

    values: Mapping[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    words: str = ""
    block: str = ""  # the one we are in
    call: Path = ()  # that brought us there


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
        self._used: set[str] = set()  # the blocks we have been inside of
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

    def read_blocks(self, blocks: Any) -> None:
        """Take the blocks; those that are no lists of layers become rows."""
        if blocks is not None and not isinstance(blocks, Mapping):
            message = f"expected names, each with a list of layers, received {shown(blocks)}."
            self.rows.append((("model", "blocks"), "value", message))
            return
        self._blocks = blocks or {}
        for name, layers in self._blocks.items():
            if not isinstance(layers, list) or not layers:
                message = f"expected a list of at least one layer, received {shown(layers)}."
                self.rows.append((("model", "blocks", name), "value", message))

    def refuse_unused_blocks(self) -> None:
        """Say which blocks no layer asks for, unless other mistakes may be the reason."""
        for name in [] if self.rows else self._blocks:
            if name not in self._used:
                message = f"no layer uses this block. Remove it, or use it: block: {name}."
                self.rows.append((("model", "blocks", name), "key", message))

    def write_out(self, key: str, layers: list[Any]) -> list[Any]:
        """Return the layers of a key with everything written out; mistakes become rows."""
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
        if found and scope.block and not near:
            lacks = f"the block {scope.block} asks for {text}. Give it a value: "
            lacks += f"block: {{name: {scope.block}, {found[1]}: ...}}."
            self.rows.append((scope.call, "value", lacks))
            return None
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
        arguments = read_arguments(REPEAT, given, "repeat")
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
            values = {**scope.values, **values}
            inner = replace(scope, values=values, used=used, words=words)
            if len(self.rows) == num_mistakes:  # those of one round are enough
                self._fill(found, arguments["layers"], (*here, "layers"), target, inner)
        scope.used.update(used - set(each))
        self._refuse_unused(set(each) - used, (*here, "each"), num_mistakes)

    def _block(self, found: list[Any], given: Any, here: Path, target: Path, scope: _Scope) -> None:
        values = {"name": given} if isinstance(given, str) else given
        name = values.get("name") if isinstance(values, Mapping) else None
        if not isinstance(name, str) or name not in self._blocks:
            self.rows.append((here, "value", self._block_message(given, name)))
            return
        if not isinstance(self._blocks[name], list):
            return  # said where it is written
        if name in self._open:
            self.rows.append((here, "value", f"the block {name} holds itself."))
            return
        given_values = {key: value for key, value in values.items() if key != "name"}
        known = self._value(given_values, here, here, scope)
        num_mistakes = len(self.rows)
        words = f" (In the block {name}, used at {dotted(here)}.)"
        inner = _Scope(known, set(), words, name, here)
        self._open.append(name)
        self._used.add(name)
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
