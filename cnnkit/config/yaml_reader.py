"""Read YAML text into plain Python data, and note the line and column of every key and value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml

from cnnkit.config.windows_paths import changed_path, escape_advice
from cnnkit.errors import ConfigError, KeyPath, Problem

Position = tuple[int, int]

MAX_NODES = 100_000  # values, with aliases filled in; a config has a few hundred
MAX_DEPTH = 64  # keys and list entries on the way to a value; a block in a block adds two
_TAG = "tag:yaml.org,2002:"


class YamlInt(int):
    """A whole number that remembers how it was written: a folder called `012` is not called 12."""

    text: str


class YamlFloat(float):
    """A number that remembers how it was written."""

    text: str


_Number = TypeVar("_Number", YamlInt, YamlFloat)


@dataclass
class Document:
    """The data of one YAML file, and the position of each part of it.

    Args:
        data: dicts with string keys, lists, strings, numbers, booleans and None.
        filename: what messages call the file.
        positions: path of a value -> (line, column), both counted from 1.
        key_positions: path of a mapping's entry -> (line, column) of its key.
        options: path -> the `--set` option that put the value there.
    """

    data: Any
    filename: str = ""
    positions: dict[KeyPath, Position] = field(default_factory=dict)
    key_positions: dict[KeyPath, Position] = field(default_factory=dict)
    options: dict[KeyPath, str] = field(default_factory=dict)


def read_yaml(text: str, filename: str) -> Document:
    """Return the data and the positions of one YAML document.

    Scalars follow YAML 1.2: only `true` and `false` are booleans, `012` is 12, `1e-4` is a number,
    `1:30`, `no` and `2020-01-01` are strings. Keys are always strings, as written. Anchors, aliases
    and `<<` work.

    Raises:
        ConfigError: the text is not one YAML document of plain data.
    """
    node = _composed(text, filename)
    if node is None:
        message = "the file is empty. Write a config into it."
        raise ConfigError([Problem(message, f"{filename}:1:1")])
    constructor = _Constructor(Document(None, filename))
    try:
        constructor.document.data = constructor.construct(node, ())
    except _TooManyNodesError:
        constructor.refuse(
            node, f"with its aliases filled in, this file has more than {MAX_NODES} values."
        )
    except RecursionError:
        constructor.refuse(node, "the values are nested too deeply to read.")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    return constructor.document


def read_scalar(text: str) -> Any:
    """Return the value that a scalar without quotes has: `3` is a number, `no` a string.

    >>> read_scalar("no"), read_scalar("012"), read_scalar("1e-4")
    ('no', 12, 0.0001)
    """
    for tag, pattern, _ in _RESOLVERS:
        if pattern.match(text):
            return _SCALARS[tag](text)
    return text


class _Loader(yaml.SafeLoader):
    """PyYAML's parser, with the scalars of YAML 1.2 in place of those of 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}


# Tag, pattern, and the first characters of the scalars to try it on (PyYAML asks for them).
_RESOLVERS = (
    ("null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    ("int", re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), list("-+0123456789")),
    (
        "float",
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        list("-+.0123456789"),
    ),
)
for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_TAG + _tag, _pattern, _first)


def _composed(text: str, filename: str) -> yaml.Node | None:
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        advice = escape_advice(text, error)
        mark = error.context_mark if advice else error.problem_mark or error.context_mark
        location = f"{filename}:{mark.line + 1}:{mark.column + 1}" if mark else filename
        raise ConfigError([Problem(advice or _syntax_message(error), location)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        code = error.character if isinstance(error.character, int) else ord(error.character)
        message = f"the character U+{code:04X} is not allowed in YAML. Remove it."
        raise ConfigError([Problem(message, f"{filename}:{line}:{column}")]) from None
    except RecursionError:
        message = "the values are nested too deeply to read."
        raise ConfigError([Problem(message, f"{filename}:1:1")]) from None


def _syntax_message(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "'\\t'" in problem:
        return "there is a tab here, but YAML is indented with spaces. Replace it."
    if "another document" in problem:
        return "a second document starts here. Keep one config per file."
    alias = re.match(r"found undefined alias '(.*)'", problem)
    if alias:
        return f"the alias *{alias[1]} has no anchor &{alias[1]} above it."
    context = f" {error.context}" if error.context else ""
    return f"this is not valid YAML: {problem}{context}."


class _TooManyNodesError(Exception):
    pass


class _Constructor:
    """Turn nodes into plain data, and collect their positions and the problems in them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._open: list[
            int
        ] = []  # ids of the nodes around the current one, to notice a node that contains itself
        self._count = 0

    def refuse(self, node: yaml.Node, message: str) -> None:
        line, column = _position(node)
        location = f"{self.document.filename}:{line}:{column}"
        self.problems.append(Problem(message, location))

    def construct(self, node: yaml.Node, path: KeyPath) -> Any:
        self._count += 1
        if self._count > MAX_NODES:  # ten short lines of aliases can stand for a billion values
            raise _TooManyNodesError
        self.document.positions[path] = _position(node)
        if len(path) > MAX_DEPTH:
            return self.refuse(node, "this value is nested too deeply to read.")
        if id(node) in self._open:
            return self.refuse(node, "this value contains itself through an alias.")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in (_TAG + "map", _TAG + "seq"):
            return self.refuse(node, _tag_message(node))
        self._open.append(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.construct(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.pop()

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            changed = changed_path(node)
            return self.refuse(node, changed) if changed else node.value
        if kind not in _SCALARS:
            return self.refuse(node, _tag_message(node))
        try:
            return _SCALARS[kind](node.value)
        except ValueError:
            return self.refuse(node, f'the tag !!{kind} does not fit "{node.value}". Remove it.')

    def _mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        data = {}
        for key, (key_node, value_node) in self._entries(node).items():
            self.document.key_positions[(*path, key)] = _position(key_node)
            data[key] = self.construct(value_node, (*path, key))
        return data

    def _entries(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return key -> (key node, value node); the mapping's own entries win over merged ones."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merges: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.refuse(key_node, "a key must be a name, not a list or a mapping.")
            elif key_node.value == "<<" and key_node.style is None:  # a quoted "<<" is a name
                merges.append(value_node)
            elif key_node.value in own:
                lines = f"{_position(own[key_node.value][0])[0]} and {_position(key_node)[0]}"
                message = f"the key {key_node.value} is given twice, in lines {lines}. Keep one."
                self.refuse(key_node, message)
            else:
                own[key_node.value] = key_node, value_node
        for merge in merges:
            for key, entry in self._merged(merge).items():
                own.setdefault(key, entry)
        return own

    def _merged(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for source in sources:
            self._count += 1
            if self._count > MAX_NODES:
                raise _TooManyNodesError
            if not isinstance(source, yaml.MappingNode):
                self.refuse(source, "<< takes an alias of a mapping, or a list of such aliases.")
                continue
            if id(source) in self._open:
                self.refuse(source, "this value contains itself through an alias.")
                continue
            self._open.append(id(source))
            for key, entry in self._entries(source).items():
                entries.setdefault(key, entry)
            self._open.pop()
        return entries


def _position(node: yaml.Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _tag_message(node: yaml.Node) -> str:
    tag = "!!" + node.tag.removeprefix(_TAG) if node.tag.startswith(_TAG) else node.tag
    return f"the tag {tag} is not allowed; a config contains only plain data. Remove it."


def _read_null(text: str) -> None:
    return None


def _read_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _read_int(text: str) -> YamlInt:
    bases = {"0o": 8, "0x": 16}
    return _as_written(YamlInt(text, bases.get(text[:2], 10)), text)


def _read_float(text: str) -> YamlFloat:
    plain = text.lower()
    is_named = plain.lstrip("+-") in (".inf", ".nan")
    return _as_written(YamlFloat(plain.replace(".", "") if is_named else plain), text)


def _as_written(number: _Number, text: str) -> _Number:
    number.text = text
    return number


_SCALARS = {"null": _read_null, "bool": _read_bool, "int": _read_int, "float": _read_float}
