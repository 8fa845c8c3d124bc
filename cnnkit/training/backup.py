"""A training between two epochs enters; a file from which it goes on to the same weights leaves."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.errors import CnnkitError
from cnnkit.files import atomic_write


@dataclass(frozen=True)
class Backup:
    """All that the next epoch depends on, but the config and the images.

    Args:
        rows: of history.csv, one for each epoch that is done.
        model: values of `model.variables`, among them the states of random numbers.
        optimizer: values of its variables.
        best: the best weights, as of `get_weights`, where weights/best.keras may lack them.
        facts: of the training it belongs to; compared when it goes on.
    """

    rows: Sequence[dict[str, float]]
    model: Sequence[np.ndarray]
    optimizer: Sequence[np.ndarray]
    best: Sequence[np.ndarray] | None
    facts: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        facts = {"rows": self.rows, "facts": self.facts, "has_best": self.best is not None}
        arrays = {
            f"{part}_{number}": value
            for part, values in self._parts(self.model, self.optimizer, self.best or ())
            for number, value in enumerate(values)
        }
        with atomic_write(path, "wb") as file:
            np.savez(file, facts=np.array(json.dumps(facts)), **arrays)

    @classmethod
    def read(cls, path: Path) -> Backup | None:
        """Return what was written, None where there is no file.

        Raises:
            CnnkitError: the file is damaged.
        """
        if not path.exists():
            return None
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                parts = {
                    part: [file[name] for name in file.files if name.startswith(f"{part}_")]
                    for part, _ in cls._parts((), (), ())
                }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CnnkitError(
                f"{path} is damaged, so the training cannot go on from it. The best weights are in "
                "weights/best.keras; a new training begins with cnnkit train CONFIG."
            ) from error
        best = parts.pop("best")
        rows, facts, has_best = facts["rows"], facts["facts"], facts["has_best"]
        return cls(rows, **parts, best=best if has_best else None, facts=facts)

    @staticmethod
    def _parts(*values: Sequence[np.ndarray]) -> Any:
        return zip(("model", "optimizer", "best"), values, strict=True)


def values_of(variables: Sequence[Any]) -> list[np.ndarray]:
    """Return the values of Keras variables."""
    return [variable.numpy() for variable in variables]


def assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    """Give Keras variables their values again.

    Raises:
        CnnkitError: they are of another model.
    """
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise CnnkitError(
            "What the run kept to go on is of another model: other layers, or another version of "
            "Keras. Begin a new training with cnnkit train CONFIG."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
