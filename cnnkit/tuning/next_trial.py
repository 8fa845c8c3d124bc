"""Decide what is trained next: a trial whose process was killed, or a new one."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from optuna.trial import FrozenTrial, Trial, TrialState

from cnnkit.locks import held, is_held, only_one_process
from cnnkit.tuning.study import Study

# A trial that ends its process again and again, for example because the memory is full, has failed.
MOST_TAKEOVERS = 2


@contextmanager
def next_trial(study: Study, num_trials: int | None) -> Iterator[Trial | None]:
    """Yield the trial that this process shall train, None if the study has enough.

    No other process trains it while the block runs. A trial whose process was killed comes before
    new ones; if that happened repeatedly, it has failed.

    Args:
        study: the study.
        num_trials: how many trials it shall have; None for no limit.
    """
    with ExitStack() as kept:
        # One process at a time: two must not continue the same trial, or exceed the number.
        with only_one_process(study.runs.lock, lambda: None):
            trial = _killed(study) or _new(study, num_trials)
            if trial is not None:
                kept.enter_context(held(study.runs.claim(study.runs.trial(trial.number))))
        yield trial


def _killed(study: Study) -> Trial | None:
    for frozen in lost_trials(study):
        study.prepare_to_ask(frozen.number)  # it may have been killed before it had its values
        trial = Trial(study.optuna_study, frozen._trial_id)  # which has no public name
        takeovers = frozen.user_attrs.get("takeovers", 0) + 1
        trial.set_user_attr("takeovers", takeovers)
        if takeovers <= MOST_TAKEOVERS:
            study.suggest(trial)
            return trial
        reason = f"its process was killed {takeovers} times; most often the memory was full"
        trial.set_user_attr("reason", reason)
        study.optuna_study.tell(frozen.number, state=TrialState.FAIL)
    return None


def lost_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that have not ended and that no process trains."""
    return [trial for trial in study.trials if _is_lost(study, trial)]


def _is_lost(study: Study, trial: FrozenTrial) -> bool:
    # A lock can only be looked at on the machine of the process that holds it.
    is_here = trial.user_attrs.get("host") == platform.node()
    run = study.runs.trial(trial.number)
    return trial.state == TrialState.RUNNING and is_here and not is_held(study.runs.claim(run))


def _new(study: Study, num_trials: int | None) -> Trial | None:
    begun = study.trials
    if num_trials is not None and len(begun) >= num_trials:
        return None
    if is_exhausted(study):
        return None
    opened = study.optuna_study
    waiting = opened.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if not waiting:
        # Queued first, so that a trial has a host from its first moment.
        opened.enqueue_trial({}, user_attrs={"host": platform.node()})
        waiting = opened.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    study.prepare_to_ask(min((trial.number for trial in waiting), default=len(begun)))
    trial = opened.ask()
    trial.set_user_attr("host", platform.node())
    study.suggest(trial)
    return trial


def is_exhausted(study: Study) -> bool:
    """Return whether every combination of values was tried."""
    number = study.space.num_combinations
    if number is None:
        return False
    return len({tuple(sorted(trial.params.items())) for trial in study.trials}) >= number
