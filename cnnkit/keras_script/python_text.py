"""Write values and calls as Python text, in the layout of `ruff format`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from cnnkit.config.signatures import keras_api, object_family

WIDTH = 88  # characters in a line
_STEP = " " * 4


def value_text(value: Any, name: str = "") -> str:
    """Return a plain value as Python text.

    Args:
        value: a number, text, flag, None, list, or an object as Keras's `get` takes it.
        name: of the argument; it says whether an object is an initialiser or a regulariser.

    >>> value_text([1, 0.5]), value_text("relu"), value_text(None)
    ('(1, 0.5)', '"relu"', 'None')
    """
    if isinstance(value, str):
        return _string_text(value)
    if isinstance(value, Mapping):
        return _object_text(object_family(name) or "", value)
    if isinstance(value, list | tuple):
        parts = ", ".join(value_text(part) for part in value)
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    if isinstance(value, bool) or value is None:
        return str(value)
    return repr(float(value) if isinstance(value, float) else int(value))


def _string_text(text: str) -> str:
    quoted = repr(text)
    # `repr` prefers single quotes, the formatter double ones.
    return quoted if quoted[0] == '"' or '"' in text else f'"{quoted[1:-1]}"'


def _object_text(family: str, value: Mapping[str, Any]) -> str:
    """Return an initialiser, regulariser or constraint: its name, or a call if it has arguments."""
    names = {entry["class"]: name for name, entry in keras_api()[family].items()}
    if not value["config"]:
        return _string_text(names[value["class_name"]])
    given = ", ".join(f"{key}={value_text(part)}" for key, part in value["config"].items())
    return f"keras.{family}.{value['class_name']}({given})"


def arguments_of(
    arguments: Mapping[str, Any], positional: Sequence[str] = (), **more: Any
) -> list[str]:
    """Return the arguments of a call as texts.

    Args:
        arguments: by name.
        positional: those that are written without their name, if all before them are given.
        more: written after the others.
    """
    left = dict(arguments)
    texts = []
    for name in positional:
        if name not in left:
            break
        texts.append(value_text(left.pop(name), name))
    return texts + [f"{name}={value_text(value, name)}" for name, value in {**left, **more}.items()]


def call_text(head: str, arguments: Sequence[str], tail: str = "", *, indent: int = 1) -> str:
    """Return a call on one line; if it is too long, its arguments on the next, or on one each.

    Args:
        head: what is before the bracket, such as `x = layers.Conv2D`.
        arguments: as texts.
        tail: what follows the bracket, such as `(x)`.
        indent: how deep the line is.
    """
    before = _STEP * indent
    line = f"{before}{head}({', '.join(arguments)}){tail}"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    together = f"{before}{_STEP}{', '.join(arguments)}"
    # The formatter would break in the last bracket, which says little, if that were enough.
    breaks_in_tail = len(tail) > 1 and len(line) - len(tail) < WIDTH
    if len(together) <= WIDTH and "\n" not in together and not breaks_in_tail:
        return f"{before}{head}(\n{together}\n{before}){tail}"
    inner = "".join(f"{before}{_STEP}{argument},\n" for argument in arguments)
    return f"{before}{head}(\n{inner}{before}){tail}"


def comment_text(parts: Sequence[str], *, indent: int = 1) -> str:
    """Return a comment, on several lines if it is long; parts that fit into a line stay whole."""
    width, lines = WIDTH - 4 * indent - 2, [parts[0]]
    for part in parts[1:]:
        joined = f"{lines[-1]}; {part}"
        lines[-1:] = [joined] if len(joined) <= width else [lines[-1] + ";", part]
    wrapped = [line for text in lines for line in textwrap.wrap(text, width)]
    return "\n".join(f"{_STEP * indent}# {line}" for line in wrapped)


def python_name(text: str) -> str:
    """Return a text as a name for a Python file.

    >>> python_name("sign digits-2")
    'sign_digits_2'
    """
    return re.sub(r"\W+", "_", text).strip("_") or "network"
