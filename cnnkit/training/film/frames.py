"""The frames of a film: what is kept of each epoch, in one small file of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import CnnkitError, damage_as_value_error
from cnnkit.files import atomic_write

MOST_FRAMES = 60


def kept_epochs(last: int) -> list[int]:
    """Return the epochs of a training of `last` epochs that have a frame, counted from 1.

    These are every epoch, or every second, fourth, ... epoch, so that there are at most
    `MOST_FRAMES`; and always the last one. What is kept of a longer training is part of what is
    kept of a shorter one, besides its last epoch, so that thinning never needs a frame again.

    >>> kept_epochs(3), kept_epochs(100)[:3], kept_epochs(100)[-2:], len(kept_epochs(100))
    ([1, 2, 3], [1, 3, 5], [99, 100], 51)
    """
    step = 1
    while len(range(1, last, step)) >= MOST_FRAMES:
        step *= 2
    return [*range(1, last, step), last] if last else []


class Frames:
    """Arrays by epoch.

    Args:
        path: of the file.
        facts: what is the same in all epochs: names, the image.
        taken: the arrays of each epoch, by name.
    """

    def __init__(
        self,
        path: Path,
        facts: Mapping[str, Any],
        taken: Mapping[int, Mapping[str, NDArray]] | None = None,
    ) -> None:
        self._path, self.facts = path, facts
        self.taken = dict(taken or {})

    @property
    def epochs(self) -> list[int]:
        """The epochs that have a frame, in order."""
        return sorted(self.taken)

    def array(self, name: str) -> NDArray | None:
        """Return an array of all frames, (num_frames, ...); None if no frame has it."""
        found = [self.taken[epoch][name] for epoch in self.epochs if name in self.taken[epoch]]
        return np.stack(found) if found else None

    def add(self, epoch: int, arrays: Mapping[str, NDArray]) -> None:
        """Take the frame of an epoch, drop those that are too many, and write the file."""
        kept = {*kept_epochs(epoch)}
        self.taken = {number: frame for number, frame in self.taken.items() if number in kept}
        self.taken[epoch] = arrays
        parts = {name: self.array(name) for name in arrays}
        with atomic_write(self._path, "wb") as file:
            np.savez(file, epochs=self.epochs, facts=np.array(json.dumps(self.facts)), **parts)

    def drop_after(self, last: int) -> None:
        """Drop the frames of epochs that did not end: they will be trained again."""
        self.taken = {epoch: frame for epoch, frame in self.taken.items() if epoch <= last}

    def read(self, last: int) -> None:
        """Take the frames of the file up to an epoch; a training that is resumed goes on there.

        Raises:
            CnnkitError: the file is damaged.
        """
        if not last or not self._path.exists():
            return
        try:
            with (
                damage_as_value_error(),
                self._path.open("rb") as opened,
                np.load(opened, allow_pickle=False) as file,
            ):
                parts = {name: file[name] for name in file.files}
                epochs = parts.pop("epochs").tolist()
                del parts["facts"]
                taken = {
                    epoch: {name: values[place] for name, values in parts.items()}
                    for place, epoch in enumerate(epochs)
                }
        except (OSError, ValueError) as error:
            raise CnnkitError(
                f"{self._path} is damaged, so the film of this training cannot go on. Remove the "
                "file and resume again: the film then begins with the next epoch."
            ) from error
        self.taken = taken
        self.drop_after(last)
