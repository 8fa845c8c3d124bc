"""Train phase by phase and epoch by epoch, until the last epoch or early stopping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cnnkit.backend import tf
from cnnkit.config.own_calls import MIXING
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.text import count_of
from cnnkit.training.checkpoint import Backup, Checkpoint, assign
from cnnkit.training.early_checks import first_warnings
from cnnkit.training.experiment_loggers import EpochLoggers
from cnnkit.training.film import Film, film_of
from cnnkit.training.history import History
from cnnkit.training.interrupts import interrupts_held_back
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.linear_probe import probe_epoch
from cnnkit.training.partial_epoch import PartialEpoch
from cnnkit.training.phase_features import CachedFeatureBatches
from cnnkit.training.phase_work import phase_works
from cnnkit.training.phases import Phase
from cnnkit.training.plan import Plan, PlannedPhase
from cnnkit.training.resuming import facts_of
from cnnkit.training.step import train_epoch
from cnnkit.training.stops import Stops
from cnnkit.training.tensorboard_events import event_writer, write_events
from cnnkit.training.time_left import PhaseWork
from cnnkit.training.time_limit import TimeIsUpError, TimeLimit
from cnnkit.training.timed_report import TimedReport

# What is said at once when Ctrl-C comes, because a batch may take long.
_STOPPING = "Stopping after this batch ... What was trained is kept."
_STOPPING_PROBE = "Stopping after this fit of the linear probe ... Finished epochs are kept."
_SAVING = "The weights are being saved ... Ctrl-C again stops without them."


def train_phases(
    plan: Plan,
    run: Run,
    report: Report,
    backup: Backup | None = None,
    loggers: EpochLoggers | None = None,
) -> History:
    """Train all phases and return the history. Weights and history are saved along the way.

    Args:
        plan: the model, and its phases with their batches.
        run: whose files are written.
        report: shows the progress.
        backup: from which the training is resumed; None to start at the beginning.
        loggers: get each row of the history.

    Raises:
        CnnkitError: the loss became NaN or infinite.
        KeyboardInterrupt: Ctrl-C; what the finished epochs trained is saved.
    """
    history = History(run.history, plan.config.training.monitor, backup.rows if backup else ())
    minutes = plan.config.training.checkpoint_minutes
    checkpoint = Checkpoint(plan.model, run, history, facts_of(plan), minutes)
    works = phase_works(plan)
    timed = TimedReport(report, works, is_resumed=backup is not None)
    limit = TimeLimit(plan.config.training.max_minutes)
    film = film_of(plan, run, report, len(history.rows))
    loop = _Loop(
        plan,
        run,
        timed,
        history,
        checkpoint,
        works[0],
        event_writer(plan.config, run),
        loggers or EpochLoggers(),
        limit,
        film,
    )
    if backup is not None:
        checkpoint.restore(backup)
    _note_augmentation(plan, report)
    run.update(stopped_by=None)
    try:
        for number, planned in enumerate(plan.phases, 1):
            history.begin_phase(number)
            if not _is_over(planned.phase, history):
                loop.train_phase(number, planned, backup)
    except TimeIsUpError:
        report.close()
        _end_in_time(run, history, limit, report)
    finally:
        # Ctrl-C may have come while TensorFlow was building a graph: init_scope leaves it. Another
        # one waits until everything is saved.
        with tf.init_scope(), interrupts_held_back(lambda: report.note(_SAVING)):
            checkpoint.close()
            if film is not None:
                report.close()
                film.close(history.rows)
    report.close()
    return history


def _end_in_time(run: Run, history: History, limit: TimeLimit, report: Report) -> None:
    """Say that the time is up; the finished epochs are the result.

    Raises:
        CnnkitError: no epoch is finished.
    """
    stated, place = f"training.max_minutes ({limit.minutes:g})", run.info().get("stopped")
    go_on = f"cnnkit train --resume {run.argument}"
    if not history.rows:
        stopped = f": the training stopped {place}" if place else ""
        raise CnnkitError(
            f"No epoch ended within {stated}, so there is no result yet{stopped}. `cnnkit train "
            "CONFIG --dry-run` tells how long a training takes."
        )
    run.update(stopped_by="max_minutes")
    where = f"after epoch {len(history.rows)}: another one would not end within"
    if place:
        where = f"{place}, because of"
    report.note(f"Stopped {where} {stated}. To go on: {go_on}")


def check_something_is_left(plan: Plan, run: Run, backup: Backup) -> None:
    """Refuse to resume a finished training that has no epoch left.

    Raises:
        UsageError: all epochs are over, or early stopping would end it at once.
    """
    if run.info()["status"] != "finished":
        return  # interrupted after its last epoch: the results are still to be written
    history, last = History(run.history, plan.config.training.monitor, backup.rows), plan.phases[-1]
    history.begin_phase(len(plan.phases))
    if not _is_over(last.phase, history):
        return
    done = len(history.phase_values)
    if done >= last.phase.epochs:
        raise UsageError(
            f"{run.folder} has trained all its {count_of(done, 'epoch')} already"
            f"{' of the last phase' if len(plan.phases) > 1 else ''}. Give it more: "
            f"cnnkit train --resume {run.argument} --epochs {2 * done}"
        )
    raise UsageError(
        f"{run.folder} was ended by early stopping: {history.monitor} had not improved for "
        f"{last.phase.patience} epochs. To go on, raise the patience: --set "
        f"training.early_stopping.patience={2 * last.phase.patience:g} --allow-changed "
        "training.early_stopping"
    )


@dataclass(frozen=True)
class _Loop:
    """What the phases of a training share."""

    plan: Plan
    run: Run
    report: TimedReport
    history: History
    checkpoint: Checkpoint
    first_work: PhaseWork
    events: Any  # a writer of TensorBoard events, or None
    loggers: EpochLoggers
    limit: TimeLimit
    film: Film | None

    def train_phase(self, number: int, planned: PlannedPhase, backup: Backup | None) -> None:
        """Train a phase, or what is left of it.

        Args:
            number: of the phase, from 1.
            planned: the phase.
            backup: from which the training is resumed, perhaps in another phase.
        """
        phase, history = planned.phase, self.history
        partial = _partial_of(backup, history)
        is_resumed = bool(history.phase_values or partial)
        if number > 1 and not is_resumed and self.plan.phases[number - 2].phase.data is None:
            # Not after a phase with other images: what these taught cannot be judged by the
            # validation images, so the last weights are passed on.
            self.checkpoint.load_best()
        model, batches = planned.start(self.plan.model, self.report)
        # In the middle of the phase; otherwise the optimizer is new.
        if backup is not None and is_resumed:
            # Before it is built, an optimizer lacks most of its variables.
            model.optimizer.build(model.trainable_variables)
            assign(model.optimizer.variables, backup.optimizer)
        self.checkpoint.begin_phase(model)
        features = batches.seconds if isinstance(batches, CachedFeatureBatches) else None
        done = len(history.phase_values)
        self.report.phase_begins(number, done, features, in_epoch=partial is not None)
        self._note_start(number, phase, model, batches.description)
        if number == 1 and not is_resumed:
            for warning in first_warnings(planned, batches, self.first_work, model):
                self.report.note(warning)
        learning_rate = LearningRate(phase, batches.steps, history)
        stopping = _STOPPING_PROBE if phase.is_probe else _STOPPING
        with interrupts_held_back(lambda: self.report.note(stopping)) as raise_if_interrupted:
            stops = Stops(raise_if_interrupted, self.limit, self.checkpoint, self.plan.devices)
            while not _is_over(phase, history):
                # Epochs of this process: one that would never end in time is trained in parts.
                if len(history.phase_values) > done:
                    stops.check(history.rows[-1]["seconds"])
                self._begin_epoch(batches.num_images)
                if phase.is_probe:
                    row = probe_epoch(model, batches, history, self.report, stops.check)
                else:
                    row = train_epoch(
                        model, batches, learning_rate, history, self.report, stops, partial
                    )
                partial = None
                if self.film is not None:  # before the row: a kill in between costs no frame
                    self.film.take(row["epoch"], model, batches)
                self._end_epoch(row, save_now=phase.backbone_learns)
                stops.check_interrupt()
            self.checkpoint.save()
        self._note_end(number, phase)
        if isinstance(batches, CachedFeatureBatches):
            self.run.update(feature_difference=batches.check(self.plan.model, model))

    def _begin_epoch(self, num_images: int) -> None:
        finished = len(self.history.rows)
        phases = [planned.phase for planned in self.plan.phases[self.history.phase - 1 :]]
        left = sum(phase.epochs for phase in phases) - len(self.history.phase_values)
        self.report.epoch_begins(finished + 1, finished + left, num_images)

    def _end_epoch(self, row: dict[str, float], *, save_now: bool) -> None:
        # The row first: the checkpoint reads it, and a kill in between costs one epoch at most.
        is_best = self.history.append(row)
        self.checkpoint.epoch_done(is_best=is_best, save_now=save_now)
        write_events(self.events, row)
        self.loggers.epoch_done(row)
        self.report.epoch_done(row, is_best=is_best)

    def _note_start(self, number: int, phase: Phase, model: Any, description: str) -> None:
        if self.plan.config.model.backbone is None:
            return
        learn = sum(math.prod(variable.shape) for variable in model.trainable_variables)
        self.report.note(
            f"phase {number}/{len(self.plan.phases)}, {phase.label}: "
            f"training {learn:,} parameters"
            f"{description}"
        )

    def _note_end(self, number: int, phase: Phase) -> None:
        history = self.history
        best = history.best["epoch"]
        if len(history.phase_values) < phase.epochs:
            self.report.note(
                f"Stopped early: {history.monitor} has not improved for {phase.patience} epochs "
                f"(best: epoch {best})."
            )
        elif number > 1 and history.epochs_since_best == len(history.phase_values):
            self.report.note(
                f"Phase {number} has not improved {history.monitor}: the best weights are still "
                f"those of epoch {best}."
            )


def _partial_of(backup: Backup | None, history: History) -> PartialEpoch | None:
    """Return the epoch of the current phase in which a training goes on, if there is one."""
    partial = backup.partial if backup else None
    return partial if partial and partial.phase == history.phase else None


def _is_over(phase: Phase, history: History) -> bool:
    """Return whether the current phase has ended; a resumed training may find it so."""
    if not history.rows or history.rows[-1]["phase"] < history.phase:
        return False
    # A resumed training has left this phase already, perhaps by early stopping.
    if history.rows[-1]["phase"] > history.phase:
        return True
    done = len(history.phase_values)
    return done >= phase.epochs or history.epochs_since_best >= phase.patience


def _note_augmentation(plan: Plan, report: Report) -> None:
    """Say which augmentation does nothing while cached features are used."""
    config, training = plan.config, plan.config.training
    if not (training.feature_cache and config.augmentation):
        return
    if not any(planned.caches_features for planned in plan.phases):
        return
    mixing = [call.name for call in config.augmentation if call.name in MIXING]
    if mixing:
        report.note(
            f"{' and '.join(mixing)} mixes pixels, so it does nothing while cached features of "
            "the backbone are used. With training.feature_cache: false it does, and the features "
            "are computed in every epoch."
        )
    if not training.feature_views and len(mixing) < len(config.augmentation):
        report.note(
            "While the backbone does not learn, its features are computed once, from the images "
            "without augmentation. training.feature_views: 4 caches those of four augmented "
            "versions of each image; training.feature_cache: false computes them in every epoch."
        )
