"""A model that learns enters; its best and last weights leave, as files of the run."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from cnnkit.model import without_optimizer
from cnnkit.runs import Run

_LONGEST_UNWRITTEN = 30  # seconds


class Weights:
    """Writes weights/best.keras and weights/last.keras.

    Args:
        model: the whole model.
        run: whose files they are.
    """

    def __init__(self, model: Any, run: Run) -> None:
        self._model, self._run = model, run
        self._best: list[Any] | None = None  # that are not yet written
        self._unwritten = False
        self._written_at = time.monotonic()

    def keep(self, *, is_best: bool, at_once: bool) -> None:
        """Take the weights of an epoch that has ended.

        Args:
            is_best: whether they are the best so far.
            at_once: write them now. Else they may wait for half a minute: an epoch of a head alone
                takes less time than writing its backbone.
        """
        self._unwritten = True
        if is_best:
            self._best = None if at_once else self._model.get_weights()
        if at_once:
            self._write(is_best=is_best)
        elif time.monotonic() - self._written_at > _LONGEST_UNWRITTEN:
            self.write()

    def write(self) -> None:
        """Write what is not written yet."""
        if not self._unwritten:
            return
        last, best = self._model.get_weights(), self._best
        if best is not None:
            self._model.set_weights(best)
            self._write(is_best=True)
            self._model.set_weights(last)
        self._write(is_best=False)

    def take_best(self) -> None:
        """Let the model have the best weights so far."""
        self.write()
        without_optimizer(self._model).load_weights(self._run.best)

    def _write(self, *, is_best: bool) -> None:
        run = self._run
        with tempfile.TemporaryDirectory(dir=run.last.parent, prefix=".new-") as folder:
            fresh, copy = Path(folder) / "last.keras", Path(folder) / "best.keras"
            without_optimizer(self._model).save(fresh)
            if is_best:
                shutil.copyfile(fresh, copy)
                os.replace(copy, run.best)
            os.replace(fresh, run.last)
        self._best, self._unwritten, self._written_at = None, False, time.monotonic()
