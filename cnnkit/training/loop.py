"""A model and its images enter; the best and the last weights and the history leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnnkit.backend import tf
from cnnkit.config.own_calls import MIXING
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.training.backup import Backup
from cnnkit.training.checkpoint import Weights
from cnnkit.training.feature_batches import FeatureFeed
from cnnkit.training.history import History
from cnnkit.training.interrupts import interrupts_held_back
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.phases import Phase, phases_of
from cnnkit.training.plan import Plan
from cnnkit.training.resuming import facts_of
from cnnkit.training.step import Learner, keeps_features, learner_of


def run_epochs(plan: Plan, run: Run, report: Report, backup: Backup | None = None) -> History:
    """Train phase by phase, each from its feed until its last epoch or until early stopping.

    A phase begins with the best weights so far; behind one with other images, with its last ones:
    what these taught cannot be seen in the validation images. History and weights are written as
    they come.

    Args:
        plan: the model and what it learns from.
        run: where history and weights are written.
        report: is told of each epoch.
        backup: from which the training goes on.

    Raises:
        CnnkitError: the loss is no number any more.
    """
    model, config = plan.model, plan.config
    history = History(run.history, config.training.monitor, backup.rows if backup else ())
    board = _board(run) if config.training.tensorboard else None
    phases = phases_of(config)
    weights = Weights(model, run, history, facts_of(plan))
    if backup is not None:
        weights.restore(backup)
    _note_views(plan, phases, report)
    try:
        for number, (phase, feed) in enumerate(zip(phases, plan.feeds, strict=True), 1):
            history.begin_phase(number)
            if _is_over(phase, number, history):
                continue
            goes_on = bool(history.phase_values)
            if number > 1 and not goes_on and phases[number - 2].data is None:
                weights.take_best()
            learner = learner_of(model, config, phase, feed, report)
            if goes_on:
                learner.restore_optimizer(backup.optimizer)
            weights.begin_phase(learner.model)
            if config.model.backbone is not None:
                report.note(f"phase {number}/{len(phases)}, {phase.label}: {learner.describe()}")
            with interrupts_held_back() as interrupt_if_asked:
                for row in _phase_rows(
                    learner, phases, number, history, report, interrupt_if_asked
                ):
                    is_best = history.append(row)
                    weights.keep(is_best=is_best, at_once=phase.backbone_learns)
                    _write_events(board, row)
                    report.epoch_done(row, is_best=is_best)
                    interrupt_if_asked()
                weights.write()
            if history.epochs_since_best >= phase.patience:
                report.note(
                    f"Stopped early: {history.monitor} has not improved for {phase.patience} "
                    f"epochs (best: epoch {history.best['epoch']})."
                )
            elif number > 1 and history.epochs_since_best == len(history.phase_values):
                report.note(
                    f"Phase {number} has not improved {history.monitor}: the best weights are "
                    f"still those of epoch {history.best['epoch']}."
                )
            if isinstance(learner.feed, FeatureFeed):
                run.update(feature_difference=learner.check_features(model))
    finally:
        with tf.init_scope():  # Ctrl-C may leave TensorFlow in the middle of a graph
            weights.close()
    report.close()
    return history


def _is_over(phase: Phase, number: int, history: History) -> bool:
    """Tell whether a phase has had all of its epochs; it may have been before a resumption."""
    if not history.rows or history.rows[-1]["phase"] < number:
        return False
    if history.rows[-1]["phase"] > number:
        return True
    done = len(history.phase_values)
    return done >= phase.epochs or history.epochs_since_best >= phase.patience


def _note_views(plan: Plan, phases: Sequence[Phase], report: Report) -> None:
    config, training = plan.config, plan.config.training
    if not (training.feature_cache and config.augmentation):
        return
    if not any(keeps_features(plan.model, config, phase) for phase in phases):
        return
    mixing = [call.name for call in config.augmentation if call.name in MIXING]
    if mixing:
        report.note(
            f"{' and '.join(mixing)} mixes pixels, so it does not act while the features of a "
            "backbone are kept. training.feature_cache: false computes them anew in every epoch."
        )
    if not training.feature_views and len(mixing) < len(config.augmentation):
        report.note(
            "While the backbone does not learn, its features of the images as they are, not "
            "augmented, are computed once. training.feature_views: 4 keeps those of four augmented "
            "views of each; training.feature_cache: false computes them anew in every epoch."
        )


def _phase_rows(
    learner: Learner,
    phases: Sequence[Phase],
    number: int,
    history: History,
    report: Report,
    interrupt_if_asked: Callable[[], None],
) -> Iterator[dict[str, float]]:
    """Run what is left of a phase; yield each one's row of history.csv."""
    phase = phases[number - 1]
    learning_rate = LearningRate(phase, learner.feed.steps, history)
    done = len(history.phase_values)
    planned = len(history.rows) - done + sum(later.epochs for later in phases[number - 1 :])
    while not _is_over(phase, number, history):
        past, epoch = len(history.rows), len(history.phase_values)
        report.epoch_begins(past + 1, planned, learner.feed.num_images)
        begin = time.perf_counter()
        logs = learner.learn(past, epoch, learning_rate, report, interrupt_if_asked)
        yield {
            "epoch": past + 1,
            "phase": number,
            **{column: logs[name] for column, name in _COLUMNS.items() if name in logs},
            "learning_rate": learner.last_rate(learning_rate, epoch),
            "seconds": round(time.perf_counter() - begin, 3),
        }


_COLUMNS = {
    "train_loss": "loss",
    "val_loss": "val_cross_entropy",
    "train_accuracy": "accuracy",
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
