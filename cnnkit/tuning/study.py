"""A study: the trials in Optuna's storage, and the values that each of them has."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from cnnkit.config import Choices, Config, Range, SearchSpace
from cnnkit.errors import CnnkitError, UsageError, reason_of
from cnnkit.runs import Run
from cnnkit.runs.study_runs import StudyRuns
from cnnkit.tuning.study_settings import METRICS, Metric, StudySettings

optuna.logging.set_verbosity(optuna.logging.ERROR)  # what happens is said in our own words

_WAITING_SECONDS = 60  # for another process that writes into the same SQLite file
_FIRST_TRIALS = 5  # none of these ends early: there is too little to compare with
# After each such part of its epochs a trial is judged: earlier, large learning rates are favoured,
# and a trial that has to be better than the median after every epoch hardly ever is.
_TRIED_PART = 0.25
_FINGERPRINT = "cnnkit"


@dataclass(frozen=True, eq=False)
class Study:
    """A study that is open.

    Args:
        runs: its folder.
        settings: what does not change.
        space: the config and what is searched.
        optuna_study: the trials.
    """

    runs: StudyRuns
    settings: StudySettings
    space: SearchSpace
    optuna_study: optuna.Study

    @property
    def metric(self) -> Metric:
        """The score."""
        return METRICS[self.settings.metric]

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials that have begun, by number."""
        found = self.optuna_study.get_trials(deepcopy=False)
        return [trial for trial in found if trial.state != TrialState.WAITING]

    @property
    def complete(self) -> list[FrozenTrial]:
        """The trials that were trained to their end."""
        return [trial for trial in self.trials if trial.state == TrialState.COMPLETE]

    def run_of(self, trial: FrozenTrial | Trial) -> Run:
        """Return the run of a trial: its own, or that of an earlier trial with the same values."""
        return self.runs.trial(trial.user_attrs.get("repeats", trial.number))

    def best(self) -> FrozenTrial | None:
        """Return the best complete trial; of equal ones, the one with the lowest log loss."""
        sign = -1 if self.metric.larger_is_better else 1

        def rank(trial: FrozenTrial) -> tuple[float, float, int]:
            return sign * (trial.value or 0.0), trial.user_attrs.get("log_loss", 0), trial.number

        return min(self.complete, key=rank, default=None)

    def config_of(self, trial: FrozenTrial) -> Config:
        """Return the config of a trial.

        Raises:
            ConfigError: its values do not fit together.
        """
        return self.space.config_of(trial.params)

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Return the values of a trial; Optuna chooses those that it has not yet."""
        return {key: _suggested(trial, key, part) for key, part in self.space.keys.items()}

    def prepare_to_ask(self, number: int) -> None:
        """Let the values of the next trial depend on its number and on the trials so far alone.

        So a study that is continued tries what it would have tried without the interruption.
        """
        entropy = [self.space.config.training.seed, number]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        if self.settings.sampler == "random":
            self.optuna_study.sampler = optuna.samplers.RandomSampler(seed=seed)
        else:
            self.optuna_study.sampler = optuna.samplers.TPESampler(seed=seed)

    def importances(self) -> dict[str, float] | None:
        """Return which part of the variance of the score each key explains, the largest first.

        None with fewer than ten complete trials, which say nothing, or if all have the same score.

        Source: functional ANOVA on a random forest, Hutter et al. 2014, as Optuna computes it.
        """
        if len(self.complete) < 10 or len({trial.value for trial in self.complete}) == 1:
            return None
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about keys that never had another value
            return optuna.importance.get_param_importances(self.optuna_study, evaluator=evaluator)


def create_study(
    runs: StudyRuns, settings: StudySettings, space: SearchSpace, url: str | None
) -> Study:
    """Begin a study, or join the one of this name in the storage; the first trial is the config.

    Args:
        runs: the folder.
        settings: what does not change.
        space: the config and what is searched.
        url: of the storage, with its password; None for the file in the folder.

    Raises:
        UsageError: the storage cannot be used, or has another study of this name.
    """
    study = _opened(runs, settings, space, url, is_new=True)
    given = study.optuna_study.user_attrs.get(_FINGERPRINT)
    if given is None:
        study.optuna_study.set_user_attr(_FINGERPRINT, settings.fingerprint(space))
        written = space.values_as_written()
        if written is not None:
            study.optuna_study.enqueue_trial(written, user_attrs={"as_written": True})
    elif given != settings.fingerprint(space):
        raise UsageError(
            f"{settings.storage} has a study {settings.study} already, with another config, search "
            "or sampler. Give this one another --name."
        )
    return study


def open_study(
    runs: StudyRuns, settings: StudySettings, space: SearchSpace, url: str | None
) -> Study:
    """Return a study that was begun before; the arguments are those of `create_study`.

    Raises:
        UsageError: the storage cannot be used, or has no study of this name.
    """
    return _opened(runs, settings, space, url, is_new=False)


def _opened(
    runs: StudyRuns, settings: StudySettings, space: SearchSpace, url: str | None, *, is_new: bool
) -> Study:
    place = settings.storage or runs.storage  # unlike the URL, it has no password
    direction = "maximize" if METRICS[settings.metric].larger_is_better else "minimize"
    try:
        storage = _storage(url or f"sqlite:///{runs.storage.resolve()}")
        if is_new:
            opened = optuna.create_study(
                storage=storage,
                study_name=settings.study,
                direction=direction,
                load_if_exists=True,
            )
        else:
            opened = optuna.load_study(storage=storage, study_name=settings.study)
    except KeyError:
        raise UsageError(
            f"{place} has no study {settings.study}. If it was deleted, begin a new one: "
            "cnnkit tune CONFIG"
        ) from None
    except (SQLAlchemyError, ImportError, optuna.exceptions.StorageInternalError) as error:
        raise UsageError(
            f"The storage {place} cannot be used: {reason_of(error.__cause__ or error)}"
        ) from error
    opened.pruner = _pruner(settings, space.config)
    return Study(runs, settings, space, opened)


@contextmanager
def storage_failures(runs: StudyRuns) -> Iterator[None]:
    """Turn what Optuna raises for a storage that fails into an error for the user.

    Raises:
        CnnkitError: the storage cannot be read or written any more.
    """
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise CnnkitError(
            f"The storage of the study failed: {reason_of(error.__cause__ or error)}. What was "
            f"trained is kept in {runs.folder}. When the storage works again: cnnkit tune --resume "
            f"{runs.argument}"
        ) from error


def _storage(url: str) -> optuna.storages.BaseStorage:
    waits = url.startswith("sqlite")
    arguments = {"connect_args": {"timeout": _WAITING_SECONDS}} if waits else {}
    return optuna.storages.RDBStorage(url, engine_kwargs=arguments)


def _pruner(settings: StudySettings, config: Config) -> optuna.pruners.BasePruner:
    if not settings.prunes:
        return optuna.pruners.NopPruner()
    phases = config.training.phases
    epochs = sum(phase.epochs or config.training.epochs for phase in phases)
    part = math.ceil(_TRIED_PART * (epochs or config.training.epochs))
    return optuna.pruners.MedianPruner(_FIRST_TRIALS, n_warmup_steps=part, interval_steps=part)


def _suggested(trial: Trial, key: str, searched: Range | Choices) -> Any:
    if isinstance(searched, Choices):
        return trial.suggest_categorical(key, searched.labels)
    if searched.is_whole:
        return trial.suggest_int(key, int(searched.low), int(searched.high), log=searched.is_log)
    return trial.suggest_float(key, searched.low, searched.high, log=searched.is_log)


def absolute_url(url: str) -> str:
    """Return the URL of a storage; the path of an SQLite file in it is made absolute.

    Raises:
        UsageError: it is not a URL.
    """
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise UsageError(
            f"--storage takes the URL of a database, such as sqlite:////shared/study.db or "
            f"postgresql://user:password@host/name, not {url}."
        ) from None
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        parsed = parsed.set(database=os.path.abspath(parsed.database))
    return parsed.render_as_string(hide_password=False)


def without_password(url: str) -> str:
    """Return the URL of a storage with *** in place of a password."""
    return make_url(url).render_as_string(hide_password=True)


def same_values(trial: FrozenTrial, others: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Return the first other trial that has ended and has the same values, or None."""
    for other in others:
        ended = other.state.is_finished() and "repeats" not in other.user_attrs
        if ended and other.number != trial.number and other.params == trial.params:
            return other
    return None


def shown_values(values: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the values of a trial for a line of text.

    Args:
        values: by key.
        names: a short name of each key.
    """
    return ", ".join(f"{names[key]} {shown_value(value)}" for key, value in values.items())


def shown_value(value: Any) -> str:
    """Return a value as text: a number with three digits, a long text cut.

    >>> shown_value(0.00123456), shown_value(64), shown_value("cosine")
    ('0.00123', '64', 'cosine')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return for each key the shortest end of it that no other key has.

    >>> short_names(["training.optimizer.adam.learning_rate", "data.batch_size"])
    {'training.optimizer.adam.learning_rate': 'learning_rate', 'data.batch_size': 'batch_size'}
    >>> list(short_names(["model.layers[0].conv.filters", "model.layers[2].conv.filters"]).values())
    ['layers[0].conv.filters', 'layers[2].conv.filters']
    """
    names = {}
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        others = [f".{other}" for other in keys if other != key]
        names[key] = next(
            (end for end in ends if not any(other.endswith(f".{end}") for other in others)), key
        )
    return names
