"""A model that learns enters; its best and last weights leave, and what the next epoch needs."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from cnnkit.model.build_model import without_optimizer
from cnnkit.runs import Run
from cnnkit.training.backup import Backup, assign, values_of
from cnnkit.training.history import History

_LONGEST_UNWRITTEN = 30  # seconds


class Weights:
    """Writes weights/best.keras, weights/last.keras and, before these, the backup.

    Args:
        model: the whole model.
        run: whose files they are.
        history: of the training.
        facts: of the training, for the backup.
    """

    def __init__(self, model: Any, run: Run, history: History, facts: dict[str, Any]) -> None:
        self._model, self._run = model, run
        self._history, self._facts = history, facts
        self._rows: list[dict[str, float]] = []  # of the epochs that the weights have seen
        self._learner: Any = None
        self._best: list[Any] | None = None  # that are not yet written
        self._best_is_last = self._unwritten = False
        self._epoch_end: list[Any] = []  # of what learns, where that is not yet written
        self._written_at = time.monotonic()

    def begin_phase(self, learner: Any) -> None:
        """Let a compiled model, the whole one or its head, change the weights from here on."""
        self._learner = learner

    def keep(self, *, is_best: bool, at_once: bool) -> None:
        """Take the weights of an epoch that has ended, behind its row of the history.

        Args:
            is_best: whether they are the best so far.
            at_once: write them now. Else they may wait for half a minute: an epoch of a head alone
                takes less time than writing its backbone.
        """
        self._unwritten, self._best_is_last = True, is_best
        self._rows = list(self._history.rows)
        if is_best:
            self._best = self._model.get_weights()
        self._epoch_end = [] if at_once else values_of(self._changing)
        if at_once or time.monotonic() - self._written_at > _LONGEST_UNWRITTEN:
            self.write()

    def write(self) -> None:
        """Write what is not written yet: the backup first, which has all that the others have."""
        if not self._unwritten:
            return
        Backup(
            self._rows,
            model=values_of(self._model.variables),
            optimizer=values_of(self._learner.optimizer.variables),
            best=self._best,
            facts=self._facts,
        ).write(self._run.backup)
        self._write_models()
        self._best, self._unwritten, self._written_at = None, False, time.monotonic()

    def close(self) -> None:
        """Write what the last finished epoch left, whatever an unfinished one has changed since."""
        if self._unwritten and self._epoch_end:
            assign(self._changing, self._epoch_end)
        self.write()

    def take_best(self) -> None:
        """Let the model have the best weights so far."""
        self.write()
        without_optimizer(self._model).load_weights(self._run.best)

    def restore(self, backup: Backup) -> None:
        """Let the model and its files have the weights of a backup."""
        assign(self._model.variables, backup.model)
        self._best, self._best_is_last = backup.best, False
        self._write_models()
        self._best = None

    @property
    def _changing(self) -> list[Any]:
        return [*self._learner.variables, *self._learner.optimizer.variables]

    def _write_models(self) -> None:
        run, last = self._run, self._model.get_weights()
        with tempfile.TemporaryDirectory(dir=run.last.parent, prefix=".new-") as folder:
            fresh, best = Path(folder) / "last.keras", Path(folder) / "best.keras"
            without_optimizer(self._model).save(fresh)
            if self._best_is_last:
                shutil.copyfile(fresh, best)
            elif self._best is not None:
                try:
                    self._model.set_weights(self._best)
                    without_optimizer(self._model).save(best)
                finally:
                    self._model.set_weights(last)
            if best.exists():
                os.replace(best, run.best)
            os.replace(fresh, run.last)
