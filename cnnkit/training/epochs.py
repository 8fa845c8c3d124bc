"""A model and its images enter; the best and the last weights and the history leave."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from cnnkit.backend import tf
from cnnkit.config import Config
from cnnkit.progress import Silence
from cnnkit.runs import Run
from cnnkit.training.feed import Feed
from cnnkit.training.history import History
from cnnkit.training.learners import Learner, keeps_features, learner_of
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.phases import Phase, phases_of
from cnnkit.training.weights import Weights


def run_epochs(
    model: Any, config: Config, feeds: Sequence[Feed], run: Run, report: Silence
) -> History:
    """Train phase by phase, each from its feed until its last epoch or until early stopping.

    A phase begins with the best weights so far; behind one with other images, with its last ones:
    what these taught cannot be seen in the validation images. History and weights are written as
    they come.

    Raises:
        CnnkitError: the loss is no number any more.
    """
    history = History(run.history, config.training.monitor)
    board = _board(run) if config.training.tensorboard else None
    phases = phases_of(config)
    weights = Weights(model, run)
    if (
        config.augmentation
        and not config.training.feature_views
        and any(keeps_features(model, config, phase) for phase in phases)
    ):
        report.note(
            "While the backbone does not learn, its features of the images as they are, not "
            "augmented, are computed once. training.feature_views: 4 keeps those of four augmented "
            "views of each; training.feature_cache: false computes them anew in every epoch."
        )
    try:
        for number, (phase, feed) in enumerate(zip(phases, feeds, strict=True), 1):
            if number > 1 and phases[number - 2].data is None:
                weights.take_best()
            learner = learner_of(model, config, phase, feed, report)
            if config.model.backbone is not None:
                report.note(f"phase {number}/{len(phases)}, {phase.label}: {learner.describe()}")
            history.begin_phase()
            for row in _phase_rows(learner, phases, number, history, report):
                is_best = history.append(row)
                weights.keep(is_best=is_best, at_once=phase.backbone_learns)
                _write_events(board, row)
                report.epoch_done(row, is_best=is_best)
                if history.epochs_since_best >= phase.patience:
                    report.note(
                        f"Stopped early: {history.monitor} has not improved for {phase.patience} "
                        f"epochs (best: epoch {history.best['epoch']})."
                    )
                    break
            weights.write()
    finally:
        weights.write()
    report.close()
    return history


def _phase_rows(
    learner: Learner, phases: Sequence[Phase], number: int, history: History, report: Silence
) -> Iterator[dict[str, float]]:
    """Run the epochs of a phase; yield each one's row of history.csv."""
    phase = phases[number - 1]
    learning_rate = LearningRate(phase, learner.feed.steps, history)
    planned = len(history.rows) + sum(later.epochs for later in phases[number - 1 :])
    for epoch in range(phase.epochs):
        past = len(history.rows)
        report.epoch_begins(past + 1, planned, learner.feed.num_images)
        begin = time.perf_counter()
        logs = learner.learn(past, epoch, learning_rate, report)
        yield {
            "epoch": past + 1,
            "phase": number,
            **{_COLUMNS[name]: value for name, value in logs.items()},
            "learning_rate": learning_rate.at(epoch, learner.feed.steps - 1),
            "seconds": round(time.perf_counter() - begin, 3),
        }


_COLUMNS = {
    "loss": "train_loss",
    "accuracy": "train_accuracy",
    "val_loss": "val_loss",
    "val_accuracy": "val_accuracy",
}


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
