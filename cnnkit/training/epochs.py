"""A compiled model and a dataset enter; the best and the last weights and the history leave."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from cnnkit.augmentation import build_augmentation
from cnnkit.backend import keras, tf
from cnnkit.config import Config
from cnnkit.data.batches import evaluation_batches, training_batches
from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import CnnkitError
from cnnkit.model import without_optimizer
from cnnkit.progress import Silence
from cnnkit.runs import Run
from cnnkit.training.class_weights import class_weights
from cnnkit.training.history import History
from cnnkit.training.learning_rate import LearningRate


def run_epochs(model: Any, config: Config, feed: Feed, run: Run, report: Silence) -> History:
    """Train until the last epoch or until early stopping; write history and weights every epoch.

    Raises:
        CnnkitError: the loss is no number any more.
    """
    training = config.training
    history = History(run.history, training.monitor)
    learning_rate = LearningRate(training, feed.steps, history)
    board = _board(run) if training.tensorboard else None
    patience = training.early_stopping.patience if training.early_stopping else math.inf
    for epoch in range(training.epochs):
        report.epoch_begins(epoch + 1, training.epochs, feed.num_images)
        begin = time.perf_counter()
        logs = _run_epoch(model, feed, epoch, learning_rate, report)
        row = {
            "epoch": epoch + 1,
            **{_COLUMNS[name]: value for name, value in logs.items()},
            "learning_rate": learning_rate.at(epoch, feed.steps - 1),
            "seconds": round(time.perf_counter() - begin, 3),
        }
        is_best = history.append(row)
        _save_weights(model, run, is_best=is_best)
        _write_events(board, row)
        report.epoch_done(row, is_best=is_best)
        if history.epochs_since_best >= patience:
            report.note(
                f"Stopped early: {training.monitor} has not improved for {patience} epochs "
                f"(best: epoch {history.best['epoch']})."
            )
            break
    report.close()
    return history


_COLUMNS = {
    "loss": "train_loss",
    "accuracy": "train_accuracy",
    "val_loss": "val_loss",
    "val_accuracy": "val_accuracy",
}


class Feed:
    """The batches of each epoch.

    Args:
        config: augmentation, batch size, class weights and seed are read.
        dataset: its train and validation splits are fed.

    Raises:
        UsageError: a class weight or an augmentation does not fit the data.
    """

    def __init__(self, config: Config, dataset: ImageDataset) -> None:
        self.config = config
        self.dataset = dataset
        self._augment = build_augmentation(config.augmentation, dataset.settings)
        self._training = dataset.select("train")
        self._class_weights = class_weights(
            config.training.class_weights, dataset.labels[self._training], dataset.class_names
        )
        self._validation = dataset.select("validation")
        self.num_images = len(self._training)
        self.steps = math.ceil(self.num_images / config.data.batch_size)

    def training(self, epoch: int) -> Any:
        """Return the training batches of an epoch."""
        return training_batches(
            self.dataset,
            self._training,
            epoch=epoch,
            seed=self.config.training.seed,
            augment=self._augment,
            class_weights=self._class_weights,
            balanced=self.config.training.balanced_sampling,
            **self._common,
        )

    def validation(self) -> Any:
        """Return the validation batches, or None where there are none."""
        if not len(self._validation):
            return None
        return evaluation_batches(self.dataset, self._validation, **self._common)

    @property
    def _common(self) -> dict[str, Any]:
        return {
            "batch_size": self.config.data.batch_size,
            "sigmoid": self.config.model.output == "sigmoid",
        }


def _run_epoch(
    model: Any, feed: Feed, epoch: int, learning_rate: LearningRate, report: Silence
) -> dict[str, float]:
    batch_size = feed.config.data.batch_size

    def before(step: int, logs: dict | None = None) -> None:
        model.optimizer.learning_rate.assign(learning_rate.at(epoch, step))

    def after(step: int, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            raise CnnkitError(_not_finite(feed.config, epoch, step, learning_rate))
        report.batch_done(min((step + 1) * batch_size, feed.num_images), logs)

    steps = keras.callbacks.LambdaCallback(on_train_batch_begin=before, on_train_batch_end=after)
    fitted = model.fit(
        feed.training(epoch),
        epochs=1,
        validation_data=feed.validation(),
        callbacks=[steps],
        shuffle=False,
        verbose=0,
    )
    return {name: float(values[-1]) for name, values in fitted.history.items()}


def _not_finite(config: Config, epoch: int, step: int, learning_rate: LearningRate) -> str:
    now = f"{learning_rate.at(epoch, step):g}"
    return (
        f"The loss became NaN or infinite in epoch {epoch + 1} at step {step + 1} (learning rate "
        f"{now}). Lower training.optimizer.{config.training.optimizer.name}.learning_rate, or set "
        "clipnorm: 1.0 beside it."
    )


def _save_weights(model: Any, run: Run, *, is_best: bool) -> None:
    with tempfile.TemporaryDirectory(dir=run.last.parent, prefix=".new-") as folder:
        fresh, copy = Path(folder) / "last.keras", Path(folder) / "best.keras"
        without_optimizer(model).save(fresh)
        if is_best:
            shutil.copyfile(fresh, copy)
            os.replace(copy, run.best)
        os.replace(fresh, run.last)


def _board(run: Run) -> Any:
    return tf.summary.create_file_writer(str(run.folder / "tensorboard"))


def _write_events(board: Any, row: dict[str, float]) -> None:
    if board is None:
        return
    with board.as_default(step=row["epoch"]):
        for name, value in row.items():
            if name != "epoch":
                tf.summary.scalar(name, value)
    board.flush()
