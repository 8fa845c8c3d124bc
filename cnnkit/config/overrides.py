"""Put the values of `--set key=value` options, and others, into a document read from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cnnkit.config.problems import shown
from cnnkit.config.yaml_reader import Document, read_yaml
from cnnkit.errors import ConfigError, KeyPath, Problem, dotted

# Names with dots between them, each with any number of indices: model.layers[0].conv.filters.
_KEY = re.compile(r"[^.\[\]=\s][^.\[\]=]*(?:\[[0-9]+\])*(?:\.[^.\[\]=]+(?:\[[0-9]+\])*)*\Z")
_PART = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


class RefusedError(Exception):
    """A value cannot be put where a key says; the text says why."""


def apply_overrides(document: Document, overrides: Iterable[str]) -> None:
    """Put the values of options like `training.epochs=3` into the document; the last one wins.

    Raises:
        ConfigError: options that are not key=value, or whose key does not exist; all at once.
    """
    problems = []
    for override in overrides:
        option = f"--set {override}"
        try:
            path, value = _read(override)
            put_value(document.data, path, value)
        except RefusedError as error:
            problems.append(Problem(str(error), option))
        else:
            document.options.pop(path, None)  # so that the last option for a path is the last one
            document.options[path] = option
    if problems:
        raise ConfigError(problems)


def _read(override: str) -> tuple[KeyPath, Any]:
    key, equals, text = override.partition("=")
    path = key_path(key.strip())
    if not equals or path is None:
        raise RefusedError("this is not key=value. Write it like training.epochs=3.")
    return path, _value(text)


def key_path(key: str) -> KeyPath | None:
    """Return the path that a key such as `model.layers[0].conv` means, None if it is no key."""
    if not _KEY.match(key):
        return None
    return tuple(int(index) if index else name for index, name in _PART.findall(key))


def _value(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return read_yaml(text, "").data
    except ConfigError as error:
        messages = " ".join(problem.message for problem in error.problems)
        raise RefusedError(f"the value is wrong: {messages}") from None


def put_value(data: Any, path: KeyPath, value: Any) -> None:
    """Set the value at a path; create the sections on the way that are missing or null.

    Raises:
        RefusedError: a part of the path is not what the data has there.
    """
    for depth, part in enumerate(path[:-1]):
        _check_step(data, path[:depth], part)
        inner = data[part] if isinstance(part, int) else data.get(part)
        if inner is None:
            inner = data[part] = {}
        elif inner == path[depth + 1]:  # `adam` becomes {adam: {}} on the way to its arguments
            inner = data[part] = {inner: {}}
        data = inner
    _check_step(data, path[:-1], path[-1])
    data[path[-1]] = value


def _check_step(data: Any, path: KeyPath, part: str | int) -> None:
    where = dotted(path)
    if isinstance(part, str) and isinstance(data, list):
        entry = f"{where}[0].{part}"
        raise RefusedError(f"{where} is a list. Name one of its entries, as in {entry}.")
    if isinstance(part, str) and not isinstance(data, dict):
        raise RefusedError(f"{where} is {shown(data)}, not a section, so it has no key {part}.")
    if isinstance(part, int) and not isinstance(data, list):
        raise RefusedError(f"{where} is not a list, so it has no entry [{part}].")
    if isinstance(part, int) and part >= len(data):
        last = f"The last entry is [{len(data) - 1}]." if data else "It is empty."
        raise RefusedError(f"{where} has no entry [{part}]. {last}")
