"""What a study is: its config, its storage, how it searches and by which score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cnnkit.config import SearchSpace, dump_config, search_space_from_text
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.runs.study_runs import StudyRuns

SAMPLERS = ("tpe", "random")


@dataclass(frozen=True)
class Metric:
    """A score of the validation images by which trials are compared.

    Args:
        name: in metrics.json.
        column: of history.csv, with its value after each epoch.
        larger_is_better: which way round.
    """

    name: str
    column: str
    larger_is_better: bool


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (Metric("accuracy", "val_accuracy", True), Metric("log_loss", "val_loss", False))
}


@dataclass(frozen=True)
class StudySettings:
    """What does not change during a study.

    Args:
        study: its name in the storage.
        storage: the URL of an Optuna storage; None for a file in the study's folder.
        config_name: of the config file, for messages.
        config_folder: where relative paths in the config start from.
        overrides: those of `--set`.
        sampler: tpe or random.
        metric: accuracy or log_loss.
        prunes: whether trials that are worse than half of the others end early.
        num_trials: how many trials there shall be; None for as many as there is time for. This and
            the next one may change when the study is continued.
        num_seeds: with how many other seeds the best config is trained at the end.
    """

    study: str
    storage: str | None
    config_name: str
    config_folder: str
    overrides: Sequence[str] = ()
    sampler: str = "tpe"
    metric: str = "accuracy"
    prunes: bool = True
    num_trials: int | None = 20
    num_seeds: int = 3

    @classmethod
    def read(cls, runs: StudyRuns) -> StudySettings:
        """Return the settings of a study.

        Raises:
            UsageError: its file study.json is damaged.
        """
        keys = [field.name for field in fields(cls)]
        found = runs.settings(keys)
        return cls(**{key: found[key] for key in keys})

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for study.json."""
        return asdict(self)

    def space(self, text: str) -> SearchSpace:
        """Return what the config of the study searches.

        Args:
            text: of the config.

        Raises:
            ConfigError: it has mistakes, or no search.
        """
        return search_space_from_text(
            text, self.overrides, filename=self.config_name, folder=self.config_folder
        )

    def fingerprint(self, space: SearchSpace) -> str:
        """Return a hash of what all workers of the study must have in common."""
        searched = {key: part.as_given() for key, part in space.keys.items()}
        facts = [dump_config(space.config), searched, self.sampler, self.metric, self.prunes]
        text = json.dumps(facts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Effort:
    """How much is done at once; it may differ when a study is continued.

    Args:
        num_trials: of the whole study; None for as many as before, or as there is time for.
        minutes: in which the trials of this call are trained; None for no limit.
        num_processes: that train at the same time.
        num_seeds: with which the best config is trained at the end; None for as many as before.
    """

    num_trials: int | None = None
    minutes: float | None = None
    num_processes: int = 1
    num_seeds: int | None = None


def check_optuna() -> None:
    """Refuse to search without Optuna.

    Raises:
        CnnkitError: it is not installed.
        UsageError: it is too old.
    """
    try:
        found = version("optuna")
    except PackageNotFoundError:
        raise CnnkitError(
            'cnnkit tune needs Optuna, which is an extra: pip install "cnnkit[tune]"'
        ) from None
    if tuple(map(int, found.split(".")[:2])) < (4, 9):
        raise UsageError(
            f"cnnkit tune needs Optuna 4.9 or newer, and {found} is installed: "
            'pip install --upgrade "cnnkit[tune]"'
        )
