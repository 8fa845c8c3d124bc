"""The values of a config that are paths: filled in when it is read, escaped when it is written.

`~` and `${NAME}` are filled in, a relative path starts from the folder of the config, and
`$${NAME}` is the text `${NAME}` itself. `data.classes` may be a file too, but it is replaced by the
names in the file, so that nothing of its path is written back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnkit.config.data_section import BUILT_IN_SOURCES
from cnnkit.config.model_section import NO_PATHS
from cnnkit.config.problems import Mistake
from cnnkit.errors import KeyPath
from cnnkit.files import text_encoding
from cnnkit.text import shown

BACKBONE_PATHS = ("hub", "run", "file", "weights")  # keys of model.backbone

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ESCAPED_OR_VARIABLE = re.compile(rf"\$?{_VARIABLE.pattern}")


def fill_in_paths(config: dict[str, Any], folder: Path) -> list[Mistake]:
    """Make every path in a config absolute, in place; return what is wrong with them.

    Args:
        config: plain data as read from YAML, not yet validated.
        folder: the folder of the config file.
    """
    mistakes = _read_class_list(config, folder)
    for section, key, path in _paths(config):
        # `shown` puts a text with control characters into quotes.
        if "/" not in section[key] and shown(section[key]).startswith('"'):
            message = (
                f"{shown(section[key])} has a control character. In double quotes, \\n is a line "
                "break and \\t a tab: write a path in single quotes, or with / instead of \\."
            )
            mistakes.append(Mistake(path, message))
            continue
        try:
            # If the path is absolute, joining drops the folder.
            section[key] = os.path.abspath(folder / os.path.expanduser(_filled_in(section[key])))
        except KeyError as error:
            name = error.args[0]
            message = (
                f"the environment variable {name} is not set. Set it, or write the path itself."
            )
            mistakes.append(Mistake(path, message))
    return mistakes


def escape_paths(config: dict[str, Any]) -> None:
    """Write every `${NAME}` in the paths of a config as `$${NAME}`, in place."""
    for section, key, _ in _paths(config):
        section[key] = _VARIABLE.sub(r"$\g<0>", section[key])


def _paths(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, KeyPath]]:
    """Yield the section, the key and the whole path to it of every value that is a path."""
    for section, key, path in _path_keys(config):
        value = section.get(key)
        value = getattr(value, "text", value)  # a folder may be called 012
        if isinstance(value, str) and value and not _is_name(key, value):
            section[key] = value
            yield section, key, path


def _is_name(key: str, value: str) -> bool:
    """Return whether the value of a key is a name or a URL, and so not a path."""
    if key == "source":
        return value in BUILT_IN_SOURCES  # `./digits` is a folder
    return value in NO_PATHS or "://" in value


def _path_keys(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, KeyPath]]:
    """Yield the section, the key and the whole path to it of every key that can hold a path."""
    data, phases = _at(config, "data"), _at(config, "training", "phases")
    if isinstance(data, dict):
        yield data, "source", ("data", "source")
        yield data, "labels", ("data", "labels")
    for index, phase in enumerate(phases if isinstance(phases, list) else ()):
        data = _at(phase, "data")
        if isinstance(data, dict):
            yield data, "source", ("training", "phases", index, "data", "source")
    model = _at(config, "model")
    if isinstance(model, dict):
        yield model, "weights", ("model", "weights")
    backbone = _at(config, "model", "backbone")
    for key in BACKBONE_PATHS if isinstance(backbone, dict) else ():
        yield backbone, key, ("model", "backbone", key)


def _at(data: Any, *keys: str) -> Any:
    """Return what is at these keys, or None; the data may be anything but what it should be."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _filled_in(text: str) -> str:
    """Return the text with its variables filled in.

    Raises:
        KeyError: a variable is not set; the error holds its name.
    """
    return _ESCAPED_OR_VARIABLE.sub(
        lambda found: found[0][1:] if found[0].startswith("$$") else os.environ[found[1]], text
    )


def _read_class_list(config: dict[str, Any], folder: Path) -> list[Mistake]:
    """Replace the file in `data.classes` by the names in it, one per line, without empty lines."""
    classes = _at(config, "data", "classes")
    if not isinstance(classes, str):
        return []
    file = folder / Path(classes).expanduser()
    try:
        content = file.read_bytes()
        lines = content.decode(text_encoding(content)).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        message = (
            f"the class list {file} cannot be read: {reason}. Set a text file with one class per "
            "line, or a list."
        )
        return [Mistake(("data", "classes"), message)]
    config["data"]["classes"] = [line.strip() for line in lines if line.strip()]
    return []
