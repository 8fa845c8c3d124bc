"""Train one trial as a run of its own, and tell the study how it ended."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState

from cnnkit.backend import keras, tf
from cnnkit.errors import CnnkitError, reason_of
from cnnkit.progress import Advance, Report
from cnnkit.runs import Run
from cnnkit.text import duration_text
from cnnkit.training.named_training import train_or_resume
from cnnkit.tuning.study import Study, same_values, short_names, shown_values
from cnnkit.tuning.study_settings import Metric

# What a config that cannot be trained ends with: an error of ours, of Keras while it builds the
# model, or of TensorFlow. Anything else, such as a full disk, would end every trial: it ends the
# study at once.
_OF_A_TRIAL = (CnnkitError, ValueError, MemoryError, tf.errors.OpError)


class PrunedError(Exception):
    """A trial is worse than half of the others were after as many epochs."""


class TrainingReport(Report):
    """Shows the progress of a training that is one of many: no sentences, and no line per epoch.

    Args:
        report: gets the progress.
    """

    def __init__(self, report: Report) -> None:
        self._report = report

    def counting(self, what: str) -> AbstractContextManager[Advance]:
        """Pass it on."""
        return self._report.counting(what)

    def epoch_begins(self, epoch: int, epochs: int, num_images: int) -> None:
        """Pass it on."""
        self._report.epoch_begins(epoch, epochs, num_images)

    def batch_done(self, images_done: int, logs: Mapping[str, float]) -> None:
        """Pass it on."""
        self._report.batch_done(images_done, logs)

    def time_left(self, seconds: float | None, *, at_most: bool) -> None:
        """Pass it on."""
        self._report.time_left(seconds, at_most=at_most)

    def close(self) -> None:
        """Pass it on."""
        self._report.close()


class TrialReport(TrainingReport):
    """Tells the study the score of each epoch of a trial.

    Args:
        report: gets the progress.
        trial: of the study.
        metric: its score.
    """

    def __init__(self, report: Report, trial: Trial, metric: Metric) -> None:
        super().__init__(report)
        self._trial, self._metric = trial, metric
        # After a kill the epochs since the last backup are trained again, with the same scores.
        self._told = set(trial.study.trials[trial.number].intermediate_values)

    def epoch_done(self, row: Mapping[str, float], *, is_best: bool) -> None:
        """Tell the study the score of the epoch.

        Raises:
            PrunedError: the study has seen enough of this trial.
        """
        epoch = int(row["epoch"])
        if epoch not in self._told:
            self._trial.report(row[self._metric.column], epoch)
        if self._trial.should_prune():
            raise PrunedError


def run_trial(study: Study, trial: Trial, report: Report) -> None:
    """Train a trial, or go on with one whose process was killed, and tell the study the result.

    Args:
        study: the study.
        trial: which this process holds.
        report: shows the progress, and one line at the end.

    Raises:
        KeyboardInterrupt: Ctrl-C; the trial can be continued.
    """
    earlier = same_values(study.optuna_study.trials[trial.number], study.trials)
    if earlier is not None:
        _repeat(study, trial, earlier)
    else:
        _train(study, trial, report)
    report.note(line_of(study, study.optuna_study.trials[trial.number]))


def _repeat(study: Study, trial: Trial, earlier: FrozenTrial) -> None:
    """Give a trial the result of an earlier one: the same values give the same weights."""
    trial.set_user_attr("repeats", earlier.number)
    for key in ("log_loss", "reason", "epochs"):
        if key in earlier.user_attrs:
            trial.set_user_attr(key, earlier.user_attrs[key])
    if earlier.state == TrialState.PRUNED:
        for epoch, value in earlier.intermediate_values.items():
            trial.report(value, epoch)
    value = earlier.value if earlier.state == TrialState.COMPLETE else None
    study.optuna_study.tell(trial, value, state=earlier.state)


def _train(study: Study, trial: Trial, report: Report) -> None:
    run = study.runs.trial(trial.number)
    shown = TrialReport(report, trial, study.metric)
    try:
        if trial.should_prune():  # it was killed right after its last epoch
            raise PrunedError
        config = study.space.config_of(trial.params)
        again = f"cnnkit tune --resume {study.runs.argument}"
        train_or_resume(run, config, report=shown, evaluate_test=False, again=again)
    except PrunedError:
        _note_pruned(run)
        study.optuna_study.tell(trial, state=TrialState.PRUNED)
    except _OF_A_TRIAL as error:
        # Further lines say how to continue the run by itself.
        trial.set_user_attr("reason", reason_of(error).partition("\n")[0])
        study.optuna_study.tell(trial, state=TrialState.FAIL)
    else:
        _tell_result(study, trial, run)
    finally:
        keras.backend.clear_session()
        gc.collect()


def _tell_result(study: Study, trial: Trial, run: Run) -> None:
    info = run.info()
    metrics = info["metrics"]["validation"]
    value = metrics[study.metric.name]
    for key, fact in (("epochs", info["epochs"]), ("log_loss", metrics["log_loss"])):
        trial.set_user_attr(key, fact)
    if not math.isfinite(value):
        trial.set_user_attr("reason", f"its validation {study.metric.name} is {value}")
        study.optuna_study.tell(trial, state=TrialState.FAIL)
        return
    study.optuna_study.tell(trial, value)


def _note_pruned(run: Run) -> None:
    """Say in run.json that the study ended the run, which can be continued like any other."""
    if run.folder.is_dir():
        run.update(status="interrupted", stopped_by="pruning", error=None)


def line_of(study: Study, trial: FrozenTrial) -> str:
    """Return how a trial ended, in one line."""
    values = shown_values(trial.params, short_names(list(study.space.keys)))
    best = study.best()
    is_best = best is not None and best.number == trial.number
    mark = "  best so far" if is_best else ""
    return f"trial {trial.number}: {result_of(study, trial)}{mark}  ({values})"


def result_of(study: Study, trial: FrozenTrial) -> str:
    """Return how a trial ended: its score, or why it has none."""
    if "repeats" in trial.user_attrs:
        return f"the same values as trial {trial.user_attrs['repeats']}"
    if trial.state == TrialState.FAIL:
        return f"failed: {trial.user_attrs.get('reason', 'unknown')}"
    seconds = duration_text(seconds_of(trial) or 0)
    if trial.state == TrialState.PRUNED:
        return f"ended after epoch {trial.last_step}, because half of the others were better then"
    return f"{study.metric.name} {trial.value:.4f} in {seconds}"


def seconds_of(trial: FrozenTrial) -> float | None:
    """Return how long a trial took, None if it has not ended."""
    if trial.duration is None:
        return None
    return trial.duration.total_seconds()


def trained_seconds(trials: list[FrozenTrial]) -> list[float]:
    """Return the seconds of the trials that were trained to their end."""
    full = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return [seconds_of(trial) or 0.0 for trial in full if "repeats" not in trial.user_attrs]


def facts_of_trial(trial: FrozenTrial) -> dict[str, Any]:
    """Return a trial as plain values."""
    attributes = trial.user_attrs
    seconds = seconds_of(trial)
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state == TrialState.COMPLETE else None,
        "epochs": attributes.get("epochs", trial.last_step),
        "seconds": None if seconds is None else round(seconds, 2),
        "values": dict(trial.params),
        "by_epoch": {str(epoch): score for epoch, score in trial.intermediate_values.items()},
        "repeats": attributes.get("repeats"),
        "reason": attributes.get("reason"),
        "as_written": attributes.get("as_written", False),
    }
