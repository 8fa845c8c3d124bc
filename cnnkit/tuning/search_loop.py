"""Train one trial after the other until there are enough, or the time is over."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from optuna.trial import TrialState

from cnnkit.errors import CnnkitError
from cnnkit.progress import Report
from cnnkit.tuning.next_trial import next_trial
from cnnkit.tuning.one_trial import run_trial, trained_seconds
from cnnkit.tuning.study import Study, storage_failures

# The gradients of some functions stay registered, and with them the graphs that they are used in:
# about 10 MB for each training of a small network.
TRIALS_PER_PROCESS = 25
MOST_FAILURES = 10  # in a row: then something is wrong that no other values will mend


@dataclass(frozen=True)
class Limits:
    """When a search ends.

    Args:
        num_trials: of the whole study, with those that were trained before; None for no limit.
        end: the time.time() after which no trial shall be trained; None for no limit.
    """

    num_trials: int | None
    end: float | None

    def allow(self, study: Study) -> bool:
        """Return whether there is time for another trial, which takes as long as most did."""
        if self.end is None:
            return True
        seconds = trained_seconds(study.trials)
        return time.time() + (median(seconds) if seconds else 0) <= self.end


def search(study: Study, limits: Limits, report: Report) -> bool:
    """Train trials until a limit is reached, or every combination of values was tried.

    Return False if something is left that another process should do: TensorFlow keeps some memory
    of every training, so that none of them trains more than some trials.

    Args:
        study: in which other processes may train trials at the same time.
        limits: when it ends.
        report: shows the progress.

    Raises:
        CnnkitError: ten trials in a row failed, or the storage did.
        KeyboardInterrupt: Ctrl-C; everything can be continued.
    """
    with storage_failures(study.runs):
        return _search(study, limits, report)


def _search(study: Study, limits: Limits, report: Report) -> bool:
    for _ in range(TRIALS_PER_PROCESS):
        if not limits.allow(study):
            report.note("The time is over: another trial would not end within --minutes.")
            return True
        with next_trial(study, limits.num_trials) as trial:
            if trial is None:
                return True
            run_trial(study, trial, report)
        check_failures(study)
    return False


def check_failures(study: Study) -> None:
    """End a study in which nothing works.

    Raises:
        CnnkitError: the last ten trials that ended have failed.
    """
    ended = [trial for trial in study.trials if trial.state.is_finished()]
    last = sorted(ended, key=lambda trial: trial.datetime_complete)[-MOST_FAILURES:]
    failed = [trial for trial in last if trial.state == TrialState.FAIL]
    if len(failed) == MOST_FAILURES:
        reason = failed[-1].user_attrs.get("reason", "unknown")
        raise CnnkitError(
            f"The last {MOST_FAILURES} trials have all failed, so the study has ended. The reason "
            f"of the last one: {reason}\nChange the config or its search, and start a new study."
        )
