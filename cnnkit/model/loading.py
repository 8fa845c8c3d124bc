"""Load a model file of Keras, and report a damaged one by its name."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.memory import is_out_of_memory


def load_keras_model(path: Path) -> Any:
    """Return the `keras.Model` of a file, for inference.

    Raises:
        UsageError: the file cannot be loaded, or contains a TF Hub module that is not trusted on
            this computer.
    """
    from cnnkit.backend import keras

    # Importing this registers the layer `cnnkit>HubModule`, which Keras looks up by its name.
    from cnnkit.model.backbones.hub import hub_module  # noqa: F401

    # Keras calls a truncated file "not found".
    if path.suffix == ".keras" and path.is_file() and not zipfile.is_zipfile(path):
        raise UsageError(
            f"{path} cannot be loaded: it is not a complete .keras file. Copy or download it again."
        )
    with naming_damage(path):
        # Not compiled: a model that only answers needs no loss and no optimizer.
        return keras.models.load_model(path, compile=False)


@contextmanager
def naming_damage(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a runtime raises for a file that it cannot load into a message that names the file.

    Args:
        path: of the file.
        *errors: what this runtime raises in addition to Python's own errors.

    Raises:
        UsageError: the block has raised one of them.
    """
    try:
        yield
    except (ValueError, RuntimeError, OSError, KeyError, TypeError, *errors) as error:
        if is_out_of_memory(error):  # nothing is wrong with the file
            raise
        if (own := _own_reason(error)) is not None:
            raise UsageError(f"{path} cannot be loaded: {own}") from error
        # The first line has the reason; long lists of layers follow it.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path} cannot be loaded, it may be damaged: {reason}") from error


def _own_reason(error: BaseException | None) -> CnnkitError | None:
    """Return the error that a layer of ours has raised; Keras wraps it in errors of its own."""
    while error is not None and not isinstance(error, CnnkitError):
        error = error.__cause__ or error.__context__
    return error
