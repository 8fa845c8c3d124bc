"""Write `repeat`, `block` and `$name` out, so that only layers are left.

`repeat` and `block` only save typing: before the layers are read, they are replaced by the layers
that they stand for. For each layer we remember where it was written, so that a mistake in it is
reported there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len
from pydantic import ValidationError

from cnnkit.config.own_calls import MACROS
from cnnkit.config.problems import Mistake, mistakes_of, shown
from cnnkit.config.signatures import Argument, Signature, read_arguments
from cnnkit.config.values import Expected, Whole
from cnnkit.errors import KeyPath, dotted, nearest_name, suggested

MAX_LAYERS = 10_000  # of a stack with everything written out; resnet50.yaml has 157
STACKS = ("layers", "head")  # of the model section
NAME = re.compile(r"\$([A-Za-z_]\w*)\Z")

_NotEmpty = Annotated[list[Any], Len(1)]
REPEAT: Signature = {
    "layers": Argument(Annotated[_NotEmpty, Expected("a list of at least one layer")]),
    "times": Argument(Annotated[Whole, Ge(1), Le(1000)], None),
    "each": Argument(
        Annotated[
            dict[str, _NotEmpty], Len(1), Expected("names, each with the list of its values")
        ],
        None,
    ),
}


def expand(config: dict[str, Any]) -> Expansion:
    """Write the repeats and blocks of `model.layers` and `model.head` out, in place.

    If they have mistakes, a correct stack replaces the layers: the rest of the config can then be
    checked, without further mistakes that only follow from these.
    """
    expansion = Expansion(config)
    model = config.get("model")
    if isinstance(model, Mapping):
        written = {key: value for key, value in model.items() if key != "blocks"}
        expansion.read_blocks(model.get("blocks"))
        for key in STACKS:
            if isinstance(model.get(key), list):
                layers = expansion.write_out(key, model[key])
                # A stand-in that is valid: layers that are expanded in part would have mistakes
                # that are not the user's.
                written[key] = ["flatten"] if expansion.mistakes else layers
        expansion.refuse_unused_blocks()
        config["model"] = written
    return expansion


@dataclass(frozen=True)
class _Scope:
    """The values of `$name` at one place, which of them were used, and how we got there."""

    values: Mapping[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    words: str = ""  # what a message adds: the round or the block that we are in
    block: str = ""  # the one we are in
    call: KeyPath = ()  # the path of the `block` that uses it


class Expansion:
    """The repeats and blocks of a config while they are written out, and the mistakes in them.

    Args:
        config: the plain data; in the end its layers are written out.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.mistakes: list[Mistake] = []
        self._config = config
        self._blocks: Mapping[str, Any] = {}
        self._open: list[str] = []  # the blocks we are inside of
        self._used: set[str] = set()  # the blocks we have been inside of
        # Path of a layer in the expanded config -> its path in the file, and the words to add.
        self._origins: dict[KeyPath, tuple[KeyPath, str]] = {}
        self._num_written = 0

    def as_written(self, mistakes: Iterable[Mistake]) -> Iterator[Mistake]:
        """Yield mistakes in the expanded config with their paths in the file, each only once."""
        seen = set()
        for each in mistakes:
            source, words = self._origin(_path_in_file(each.path, self._config))
            if (source, each.message) not in seen:
                seen.add((source, each.message))
                yield replace(each, path=source, message=each.message + words)

    def _origin(self, path: KeyPath) -> tuple[KeyPath, str]:
        for end in range(len(path), 0, -1):  # from the inside out: the nearest layer counts
            if path[:end] in self._origins:
                source, words = self._origins[path[:end]]
                return (*source, *path[end:]), words
        return path, ""

    def read_blocks(self, blocks: Any) -> None:
        """Keep the blocks; report those that are not lists of layers."""
        if blocks is not None and not isinstance(blocks, Mapping):
            message = f"expected names, each with a list of layers, received {shown(blocks)}."
            self._report(("model", "blocks"), message)
            return
        self._blocks = blocks or {}
        for name, layers in self._blocks.items():
            if not isinstance(layers, list) or not layers:
                message = f"expected a list of at least one layer, received {shown(layers)}."
                self._report(("model", "blocks", name), message)

    def refuse_unused_blocks(self) -> None:
        """Report the blocks that no layer uses, unless other mistakes may be the reason."""
        for name in [] if self.mistakes else self._blocks:
            if name not in self._used:
                message = f"no layer uses this block. Remove it, or use it: block: {name}."
                self._report(("model", "blocks", name), message, "key")

    def write_out(self, key: str, layers: list[Any]) -> list[Any]:
        """Return the layers of a key with everything written out; report the mistakes in them."""
        return self._value(layers, ("model", key), ("model", key), _Scope())

    # `source` is the path of a value in the file, `target` its path in the expanded config.

    def _value(self, value: Any, source: KeyPath, target: KeyPath, scope: _Scope) -> Any:
        if isinstance(value, str) and value.startswith("$"):
            return self._named(value, source, scope)
        if isinstance(value, list):
            found: list[Any] = []
            self._fill(found, value, source, target, scope)
            return found
        if not isinstance(value, Mapping):
            return value
        return {
            key: self._value(part, (*source, key), (*target, key), scope)
            for key, part in value.items()
        }

    def _named(self, text: str, source: KeyPath, scope: _Scope) -> Any:
        found = NAME.match(text)
        if found and found[1] in scope.values:
            scope.used.add(found[1])
            return scope.values[found[1]]
        near = nearest_name(text, [f"${name}" for name in scope.values])
        if found and scope.block and not near:
            message = (
                f"the block {scope.block} needs a value for {text}. Give it one: "
                f"block: {{name: {scope.block}, {found[1]}: ...}}."
            )
            self._report(scope.call, message)
            return None
        known = ", ".join(f"${name}" for name in scope.values)
        here = f"Values here: {known}." if known else "Values exist only inside a repeat or block."
        message = f"there is no value {text}.{suggested(near)} {here}"
        self._report(source, message, suggestion=near)
        return None

    def _fill(
        self, found: list[Any], entries: list[Any], source: KeyPath, target: KeyPath, scope: _Scope
    ) -> None:
        """Append the layers that the entries stand for."""
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
                    for each in mistakes_of(error):
                        self.mistakes.append(replace(each, path=(*here, word, *each.path)))
                continue
            place = (*target, len(found))
            if place != here or scope.words:  # else the path in the file is the same
                self._origins[place] = (here, scope.words)
            found.append(self._value(entry, here, place, scope))

    def _is_too_long(self, entry: Any, here: KeyPath) -> bool:
        """Count an entry. Repeats and blocks count too, so that even those without layers end."""
        if isinstance(entry, Mapping) or (isinstance(entry, str) and not NAME.match(entry)):
            self._num_written += 1  # not a number of a list such as kernel_size: [3, 3]
        if self._num_written == MAX_LAYERS + 1:
            self._num_written += 1  # reported only once
            message = f"repeats and blocks turn this into more than {MAX_LAYERS:,} layers."
            self._report(here, message)
        return self._num_written > MAX_LAYERS

    def _repeat(
        self, found: list[Any], given: Any, here: KeyPath, target: KeyPath, scope: _Scope
    ) -> None:
        num_before = len(self.mistakes)
        if isinstance(given, Mapping):  # its values only: its layers are written out per round
            known = {k: v for k, v in given.items() if k != "layers" or isinstance(v, str)}
            given = {**given, **self._value(known, here, here, scope)}
        if len(self.mistakes) > num_before:
            return
        arguments = read_arguments(REPEAT, given, "repeat")
        lengths = {f"each.{name}": len(part) for name, part in arguments.get("each", {}).items()}
        if "times" in arguments:
            lengths = {"times": arguments["times"], **lengths}
        if len(set(lengths.values())) != 1:
            self._report(here, _lengths_message(lengths))
            return
        rounds, each = next(iter(lengths.values())), arguments.get("each", {})
        used: set[str] = set()
        for number in range(rounds):
            values = {name: part[number] for name, part in each.items()}
            words = f" (In round {number + 1} of {rounds} of this repeat.)" + scope.words
            values = {**scope.values, **values}
            inner = replace(scope, values=values, used=used, words=words)
            if len(self.mistakes) == num_before:  # one round with mistakes is enough
                self._fill(found, arguments["layers"], (*here, "layers"), target, inner)
        scope.used.update(used - set(each))  # values of the block around this repeat
        self._refuse_unused(set(each) - used, (*here, "each"), num_before)

    def _block(
        self, found: list[Any], given: Any, here: KeyPath, target: KeyPath, scope: _Scope
    ) -> None:
        values = {"name": given} if isinstance(given, str) else given
        name = values.get("name") if isinstance(values, Mapping) else None
        if not isinstance(name, str) or name not in self._blocks:
            self._report_no_block(here, given, name)
            return
        if not isinstance(self._blocks[name], list):
            return  # reported by read_blocks
        if name in self._open:
            self._report(here, f"the block {name} contains itself.")
            return
        given_values = {key: value for key, value in values.items() if key != "name"}
        known = self._value(given_values, here, here, scope)
        num_before = len(self.mistakes)
        words = f" (In the block {name}, used at {dotted(here)}.)"
        inner = _Scope(known, set(), words, name, here)
        self._open.append(name)
        self._used.add(name)
        self._fill(found, self._blocks[name], ("model", "blocks", name), target, inner)
        self._open.pop()
        self._refuse_unused(set(known) - inner.used, here, num_before)

    def _refuse_unused(self, names: set[str], here: KeyPath, num_before: int) -> None:
        """Report the values that are not used, unless other mistakes may be the reason."""
        if len(self.mistakes) > num_before:
            return
        for name in sorted(names):
            message = f"no layer uses ${name}, so this has no effect. Remove it."
            self._report((*here, name), message, "key")

    def _report_no_block(self, here: KeyPath, given: Any, name: Any) -> None:
        if not isinstance(name, str):
            message = f"expected the name of a block, or {{name: ...}}, received {shown(given)}."
            self._report(here, message)
            return
        near = nearest_name(name, self._blocks)
        listed = f" Blocks: {', '.join(self._blocks)}." if self._blocks else ""
        message = f"there is no block {name} in model.blocks.{suggested(near)}{listed}"
        self._report(here, message, suggestion=near)

    def _report(
        self,
        path: KeyPath,
        message: str,
        points_at: Literal["value", "key"] = "value",
        suggestion: str = "",
    ) -> None:
        self.mistakes.append(Mistake(path, message, points_at, suggestion))


def _lengths_message(lengths: Mapping[str, int]) -> str:
    if not lengths:
        return (
            "the number of rounds is missing. Add times: 3, or lists of values in each, as in "
            "each: {filters: [32, 64]}."
        )
    given = ", ".join(f"{name} {length}" for name, length in lengths.items())
    return f"times and the lists in each must have the same number of rounds, received {given}."


def _path_in_file(path: KeyPath, data: Any) -> KeyPath:
    """Return the path in the file, where `residual: [...]` does not spell out its key `layers`."""
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
