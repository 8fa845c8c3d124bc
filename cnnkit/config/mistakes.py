"""A mistake in a value enters; a pydantic error in our words leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from cnnkit.config.yaml_reader import YamlFloat, YamlInt
from cnnkit.errors import did_you_mean

SHOWN_LENGTH = 60  # characters of a received value in a message


class Errors:
    """Errors of the parts of one value, gathered so that all are reported at once."""

    def __init__(self) -> None:
        """Start with no error."""
        self._details: list[InitErrorDetails] = []

    def add(self, path: tuple[str | int, ...], error: PydanticCustomError) -> None:
        """Note an error at a path below the value."""
        self._details.append(InitErrorDetails(type=error, loc=path, input=None))

    def read(self, path: tuple[str | int, ...], read: Callable[[Any], Any], value: Any) -> Any:
        """Return `read(value)`, or note its errors below `path` and return None."""
        try:
            return read(value)
        except PydanticCustomError as error:
            self.add(path, error)
        except ValidationError as errors:
            for row in errors.errors():
                self.add((*path, *row["loc"]), problem(row["type"], row["msg"]))
        return None

    def finish(self) -> None:
        """Raise what was gathered as one ValidationError."""
        if self._details:
            raise ValidationError.from_exception_data("config", self._details)


def problem(kind: str, message: str) -> PydanticCustomError:
    """Return a pydantic error; `kind` is bad_value, unknown_key or missing_key."""
    return PydanticCustomError(kind, "{message}", {"message": message})


def unknown_key(
    owner: str, key: str, allowed: Iterable[str], word: str = "key"
) -> PydanticCustomError:
    """Return the error for a key that `owner` does not have."""
    names = list(allowed)
    listed = f" Allowed: {', '.join(names)}." if names else " It takes none."
    of = f" for {owner}" if owner else ""
    return problem("unknown_key", f"unknown {word}{of}.{did_you_mean(key, names)}{listed}")


def missing_key(key: str, expected: str) -> PydanticCustomError:
    """Return the error for a required key that is not there."""
    return problem("missing_key", f"required and missing. Add {key}: {expected}.")


def shown(value: Any) -> str:
    """Return a value as a message shows it, cut to a readable length.

    >>> shown("ten"), shown(None), shown([1, True])
    ('"ten"', 'null', '[1, true]')
    """
    if isinstance(value, YamlInt | YamlFloat):
        return value.text
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + " ..."
