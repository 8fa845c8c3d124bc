"""The commands of a group by name. The file of a command is imported when the command is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping

import click


class CommandsByName(MutableMapping[str, click.Command]):
    """Commands in the order in which they are added.

    A command that is added as None is in the file of `cnnkit.cli` that has its name. So the one
    that runs does not wait until the options of all others are declared.
    """

    def __init__(self) -> None:
        self._commands: dict[str, click.Command | None] = {}

    def __getitem__(self, name: str) -> click.Command:
        command = self._commands[name]
        if command is None:
            python_name = name.replace("-", "_")
            module = importlib.import_module(f"cnnkit.cli.{python_name}")
            command = getattr(module, python_name)
            self._commands[name] = command
        return command

    def __setitem__(self, name: str, command: click.Command | None) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)
