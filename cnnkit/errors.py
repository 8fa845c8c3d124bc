"""A problem enters; a message that says where, what came, what is allowed and what to do leaves."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class CnnkitError(Exception):
    """An expected failure. Its text is all the user sees; `exit_code` is what the shell sees."""

    exit_code = 1


class UsageError(CnnkitError):
    """Wrong command line, wrong config, or a run and data that do not belong together."""

    exit_code = 2


class GateError(CnnkitError):
    """A requirement the user set (`--require`) is not met."""

    exit_code = 3


class DataError(CnnkitError):
    """The images or their labels cannot be used as they are.

    Args:
        message: what the user sees.
        path: the file or folder that cannot be read, if the message is about a single one.
    """

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class ImageError(CnnkitError):
    """One image cannot be read.

    Args:
        reason: why, without the path; this is the text of the error.
        kind: the kind of fault, as `cnnkit data check` reports it: `truncated`, `empty_file`, ...
    """

    def __init__(self, reason: str, *, kind: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class Problem:
    """One mistake in a config: where it is, which key, and what is wrong.

    Args:
        key: dotted key, `model.layers[2].conv.filters`; empty for the file as a whole.
        message: what is wrong, what is allowed, and the nearest name, in one or two sentences.
        location: `configs/a.yaml:3:5`, or the `--set` option that brought the value.
    """

    key: str
    message: str
    location: str

    def __str__(self) -> str:
        return "  ".join(part for part in (self.location, self.key, self.message) if part)


class ConfigError(UsageError):
    """All mistakes of one config at once, one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean x?` for the nearest allowed name, or an empty string.

    >>> did_you_mean("kernal_size", ["filters", "kernel_size"])
    ' Did you mean kernel_size?'
    >>> did_you_mean("zzz", ["filters"])
    ''
    """
    by_folded = {_folded(candidate): candidate for candidate in allowed}
    nearest = difflib.get_close_matches(_folded(name), by_folded, n=1, cutoff=0.6)
    return f" Did you mean {by_folded[nearest[0]]}?" if nearest else ""


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
