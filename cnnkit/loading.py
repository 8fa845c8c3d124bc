"""A model file enters; a `keras.Model` leaves, or what is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError


def load_keras_model(path: Path) -> Any:
    """Return the `keras.Model` of a file, for inference.

    Raises:
        UsageError: the file cannot be loaded.
    """
    from cnnkit.backend import keras

    with naming_damage(path):
        return keras.models.load_model(path, compile=False)


@contextmanager
def naming_damage(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a runtime raises on a file it cannot load into a message with the file's name."""
    try:
        yield
    except (ValueError, RuntimeError, OSError, KeyError, TypeError, *errors) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path} cannot be loaded, it may be damaged: {reason}") from error
