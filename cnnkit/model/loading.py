"""A model file enters; a `keras.Model` leaves, or what is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnkit.errors import CnnkitError, UsageError


def load_keras_model(path: Path) -> Any:
    """Return the `keras.Model` of a file, for inference.

    Raises:
        UsageError: the file cannot be loaded, or carries a TF Hub module that nobody trusts.
    """
    from cnnkit.backend import keras
    from cnnkit.model.backbones.hub import hub_module  # noqa: F401  Keras finds its layer by name

    with naming_damage(path):
        return keras.models.load_model(path, compile=False)


@contextmanager
def naming_damage(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a runtime raises on a file it cannot load into a message with the file's name."""
    try:
        yield
    except (ValueError, RuntimeError, OSError, KeyError, TypeError, *errors) as error:
        if (own := _own_reason(error)) is not None:
            raise UsageError(f"{path} cannot be loaded: {own}") from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path} cannot be loaded, it may be damaged: {reason}") from error


def _own_reason(error: BaseException | None) -> CnnkitError | None:
    """Return what a layer of ours has said, which Keras wraps in errors of its own."""
    while error is not None and not isinstance(error, CnnkitError):
        error = error.__cause__ or error.__context__
    return error
