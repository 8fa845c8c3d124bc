"""What is saved during a training, when, and what a resumed one restores."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.errors import CnnkitError, damage_as_value_error
from cnnkit.files import atomic_write
from cnnkit.model.build_model import without_optimizer
from cnnkit.model.precision import in_float32
from cnnkit.runs import Run
from cnnkit.training.history import History
from cnnkit.training.partial_epoch import PartialEpoch
from cnnkit.training.weight_averages import averaged_weights, keeps_averages

_MOST_UNSAVED_SECONDS = 30  # this much work at most is lost when the process is killed
# The names of arrays in the backup are model_0, model_1, ...
_PARTS = ("model", "optimizer", "best", "last", "metrics")


@dataclass(frozen=True)
class Backup:
    """Everything that the rest of a training depends on, except for the config and the images.

    Args:
        rows: of history.csv, one for each finished epoch.
        model: values of `model.variables`, including the states of random numbers.
        optimizer: values of the optimizer's variables.
        best: the best weights, as from `get_weights`, if weights/best.keras may not have them yet.
        last: what weights/last.keras has, if that is not `model`: the averages of the optimizer.
        facts: about the training that the backup belongs to; compared when it is resumed.
        partial: the epoch in which the weights are from, unless they are from the end of one.
    """

    rows: Sequence[dict[str, float]]
    model: Sequence[np.ndarray]
    optimizer: Sequence[np.ndarray]
    best: Sequence[np.ndarray] | None
    last: Sequence[np.ndarray]
    facts: dict[str, Any]
    partial: PartialEpoch | None = None

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        partial = self.partial
        facts = {
            "rows": self.rows,
            "facts": self.facts,
            "has_best": self.best is not None,
            "partial": partial.facts() if partial else None,
        }
        metrics = partial.metrics if partial else ()
        parts = (self.model, self.optimizer, self.best or (), self.last, metrics)
        arrays = {
            f"{part}_{number}": value
            for part, values in zip(_PARTS, parts, strict=True)
            for number, value in enumerate(values)
        }
        with atomic_write(path, "wb") as file:
            # Not compressed: weights hardly get smaller, and training waits for it.
            np.savez(file, facts=np.array(json.dumps(facts)), **arrays)

    @classmethod
    def read(cls, path: Path) -> Backup | None:
        """Return what was written, None if there is no file.

        Raises:
            CnnkitError: the file is damaged.
        """
        if not path.exists():
            return None
        try:
            with (
                damage_as_value_error(),
                path.open("rb") as opened,
                np.load(opened, allow_pickle=False) as file,
            ):
                facts = json.loads(str(file["facts"]))
                rows, has_best = facts["rows"], facts["has_best"]
                parts = {
                    part: [file[name] for name in file.files if name.startswith(f"{part}_")]
                    for part in _PARTS
                }
                metrics = parts.pop("metrics")
                partial = facts["partial"] and PartialEpoch(**facts["partial"], metrics=metrics)
                facts = facts["facts"]
        except (OSError, ValueError) as error:
            run = Run(path.parent.parent)
            start = "Start a new training with cnnkit train CONFIG"
            if run.best.exists():
                start += f", from its best weights with --set model.weights={run.argument}"
            raise CnnkitError(
                f"{path} is damaged, so this training cannot be resumed. {start}."
            ) from error
        best = parts.pop("best")
        return cls(rows, **parts, best=best if has_best else None, facts=facts, partial=partial)


class Checkpoint:
    """Saves the best weights, the last weights and the backup of a run.

    The backup is written before the other two: it contains everything that they do, so whenever
    the process is killed, the run can be resumed.

    Args:
        model: the whole model.
        run: the run that the files belong to.
        history: of the training; its rows become part of the backup.
        facts: about the training, for the backup.
        minutes: after which an epoch that goes on is saved; None for never.
    """

    def __init__(
        self, model: Any, run: Run, history: History, facts: dict[str, Any], minutes: float | None
    ) -> None:
        self._model, self._run, self._minutes = model, run, minutes
        self._history, self._facts = history, facts
        self._rows: list[dict[str, float]] = []  # of the epochs that the weights are from
        self._trained: Any = None
        self._best: list[Any] | None = None  # the best weights, if they are not saved yet
        self._best_is_last = self._unsaved = False
        self._epoch_end: list[Any] = []  # values that were trained, if they are not saved yet
        self._saved_at = time.monotonic()

    def begin_phase(self, trained: Any) -> None:
        """Note which compiled model changes the weights from now on: the whole one or its head."""
        self._trained = trained

    def epoch_done(self, *, is_best: bool, save_now: bool) -> None:
        """Take the weights of an epoch that has ended; its row is in the history already.

        Args:
            is_best: whether they are the best so far.
            save_now: False lets them wait for up to half a minute: an epoch of a head alone can
                take less time than writing its backbone.
        """
        # Emptied first: if a second Ctrl-C comes now, `close` must not bring back an older epoch.
        self._epoch_end = []
        self._unsaved, self._best_is_last = True, is_best
        self._rows = list(self._history.rows)
        if is_best:
            # A copy: the model trains on before it is saved, and a later epoch may be worse.
            self._best = averaged_weights(self._model, self._trained)
        # A copy of what this epoch ended with: `close` may be called in the middle of the next.
        if not save_now:
            self._epoch_end = values_of(self._trained_variables)
        if save_now or time.monotonic() - self._saved_at > _MOST_UNSAVED_SECONDS:
            self.save()

    def save(self) -> None:
        """Write what is not saved yet, the backup first."""
        if not self._unsaved:
            return
        averages = keeps_averages(self._trained)
        last = averaged_weights(self._model, self._trained) if averages else []
        Backup(
            self._rows,
            model=values_of(self._model.variables),
            optimizer=values_of(self._trained.optimizer.variables),
            best=self._best,
            last=last,
            facts=self._facts,
        ).write(self._run.backup)
        self._save_models(last)
        self._best, self._unsaved, self._saved_at = None, False, time.monotonic()

    def is_due(self) -> bool:
        """Return whether so much time has passed that an epoch that goes on should be saved."""
        return self._minutes is not None and self._minutes * 60 < time.monotonic() - self._saved_at

    def stop_in(self, partial: PartialEpoch) -> None:
        """Save an epoch in which the training stops, and record where."""
        if self.save_partial(partial):
            self._run.update(stopped=partial.place)

    def save_partial(self, partial: PartialEpoch) -> bool:
        """Write a backup in the middle of an epoch, from which it can go on.

        Returns:
            False if weights became NaN or infinite. They are not saved: the next step will raise an
            error, and the last good ones stay.
        """
        model = values_of(self._model.variables)
        optimizer = values_of(self._trained.optimizer.variables)
        if not all_finite([*model, *optimizer]):
            return False
        if self._unsaved:  # the end of an epoch of a head: the model files are made from it
            trained = values_of(self._trained_variables)
            assign(self._trained_variables, self._epoch_end)
            self.save()
            assign(self._trained_variables, trained)
        Backup(
            list(self._history.rows),
            model=model,
            optimizer=optimizer,
            best=None,
            last=(),
            facts=self._facts,
            partial=partial,
        ).write(self._run.backup)
        self._saved_at = time.monotonic()
        return True

    def close(self) -> None:
        """Save the weights of the last finished epoch, even in the middle of the next one."""
        if self._unsaved and self._epoch_end:
            assign(self._trained_variables, self._epoch_end)
        self.save()

    def load_best(self) -> None:
        """Give the model the best weights so far."""
        self.save()
        without_optimizer(self._model).load_weights(self._run.best)

    def restore(self, backup: Backup) -> None:
        """Give the model and the run's files the weights of a backup."""
        assign(self._model.variables, backup.model)
        if backup.partial is not None:
            return  # its files were written before it
        self._best, self._best_is_last = backup.best, False
        self._save_models(backup.last)
        self._best = None

    @property
    def _trained_variables(self) -> list[Any]:
        return [*self._trained.variables, *self._trained.optimizer.variables]

    def _save_models(self, averages: Sequence[np.ndarray]) -> None:
        """Write the last and the best weights; the averages are the last ones, if there are any."""
        run = self._run
        # In the folder of the weights, so that the moves below are renames.
        with tempfile.TemporaryDirectory(dir=run.last.parent, prefix=".new-") as folder:
            new_last, new_best = Path(folder) / "last.keras", Path(folder) / "best.keras"
            self._write_model(new_last, averages)
            if self._best_is_last:
                # Writing a model takes much longer than copying its file.
                shutil.copyfile(new_last, new_best)
            elif self._best is not None:
                self._write_model(new_best, self._best)
            if new_best.exists():
                # An earlier interruption left files that were made from the former best weights.
                # They go first, so that predict never answers with old weights.
                run.tflite.unlink(missing_ok=True)
                run.golden.unlink(missing_ok=True)
                # Whole files are renamed: a reader never sees half of one.
                os.replace(new_best, run.best)
            os.replace(new_last, run.last)

    def _write_model(self, path: Path, weights: Sequence[np.ndarray]) -> None:
        """Write the model with other weights, or as it is if there are none."""
        # The optimizer would triple the size of the files; its state is in the backup.
        model = without_optimizer(self._model)
        with in_float32(model):
            if not weights:
                model.save(path)
                return
            own = model.get_weights()
            try:
                model.set_weights(weights)
                model.save(path)
            finally:
                model.set_weights(own)


def values_of(variables: Sequence[Any]) -> list[np.ndarray]:
    """Return the values of Keras variables."""
    return [variable.numpy() for variable in variables]


def all_finite(values: Sequence[np.ndarray]) -> bool:
    """Return whether no value is NaN or infinite."""
    return all(np.isfinite(value).all() for value in values)


def assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    """Set Keras variables to saved values.

    Raises:
        CnnkitError: the values are from another model.
    """
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise CnnkitError(
            "The backup of the run is from another model: it has other layers, or comes from "
            "another version of Keras. Start a new training with cnnkit train CONFIG."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
