"""`data.source` and `data.classes` as written enter; an absolute path and the class names leave."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from cnnkit.config.data_section import BUILT_IN_SOURCES

_VARIABLE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class UnsetVariableError(Exception):
    """A `${NAME}` whose variable is not set; the text says so to the user."""


def resolve_source(source: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Return the source as an absolute path; `digits` is a name and stays, `./digits` a folder.

    `~` and `${NAME}` are filled in; `$${NAME}` stands for `${NAME}` itself.

    Args:
        source: as written in the config.
        folder: the config file's folder, which a relative path starts from.
        environment: where `${NAME}` is looked up.

    Raises:
        UnsetVariableError: a variable is not set.
    """
    if source in BUILT_IN_SOURCES:
        return source

    def filled(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        if match[1] not in environment:
            raise UnsetVariableError(
                f"the environment variable {match[1]} is not set. Set it, or write the path itself."
            )
        return environment[match[1]]

    path = os.path.expanduser(_VARIABLE.sub(filled, source))
    return os.path.abspath(folder / path)


class ClassListError(Exception):
    """A class list that cannot be read; the text says so to the user."""


def read_class_list(file: Path) -> list[str]:
    """Return the names in a text file with one class a line; empty lines do not count.

    Raises:
        ClassListError: the file is not there, or is not UTF-8 text.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ClassListError(
            f"the class list {file} cannot be read: {reason}. Give a text file with one class a "
            "line, or a list."
        ) from error
    return [line.strip() for line in lines if line.strip()]
