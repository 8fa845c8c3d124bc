"""Show what a study would search and how long it would take, without a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.config import SearchSpace, config_text_of, search_space_from_text
from cnnkit.progress import Report
from cnnkit.tables import table_text
from cnnkit.text import duration_text
from cnnkit.training.dry_run import DryRun, dry_run
from cnnkit.tuning.study_settings import Effort, StudySettings, check_optuna


@dataclass(frozen=True)
class TuneDryRun:
    """What would be searched.

    Args:
        space: the config and its search.
        training: what is known of the config as it is written.
        effort: how much would be done.
    """

    space: SearchSpace
    training: DryRun
    effort: Effort

    @property
    def num_trials(self) -> int | None:
        """The number of trials; None if only the time decides."""
        if self.effort.num_trials is None and self.effort.minutes is not None:
            return None
        number = self.effort.num_trials or StudySettings.num_trials or 0
        most = self.space.num_combinations
        return number if most is None else min(number, most)

    @property
    def seconds(self) -> float | None:
        """The expected seconds of all trials; None if that is unknown or limited by the time."""
        if self.num_trials is None or self.training.seconds is None:
            return None
        return self.num_trials * self.training.seconds / self.effort.num_processes

    def text(self) -> str:
        """Return what is searched, and the times."""
        written = self.space.values_as_written()
        rows = [
            [key, part.text(), str(written[key]) if written else ""]
            for key, part in self.space.keys.items()
        ]
        number = self.space.num_combinations
        lines = [table_text(["key", "tried", "as written"], rows, fold=False), ""]
        lines.append(f"combinations: {'endless' if number is None else f'{number:,}'}")
        first = "the config as it is written" if written else "one of these, chosen at random"
        lines.append(f"first trial: {first}")
        lines.append(f"a trial as written: {self.training.expected}")
        if self.seconds is not None:
            lines.append(
                f"{self.num_trials} trials: about {duration_text(self.seconds)}, if the others "
                "take as long; less with pruning"
            )
        lines.append("Nothing was trained (--dry-run).")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "searched": {key: part.as_given() for key, part in self.space.keys.items()},
            "as_written": self.space.values_as_written(),
            "combinations": self.space.num_combinations,
            "trials": self.num_trials,
            "expected_seconds_per_trial": self.training.seconds,
            "expected_seconds": self.seconds,
        }


def dry_run_tuning(
    path: Path, overrides: Sequence[str], effort: Effort, report: Report
) -> TuneDryRun:
    """Check a config and its search, and measure a few steps of the config as it is written.

    Args:
        path: of the config.
        overrides: as for `--set`.
        effort: how much would be done.
        report: shows what happens.

    Raises:
        CnnkitError: it cannot be searched or trained.
    """
    check_optuna()
    text = config_text_of(path)
    space = search_space_from_text(text, overrides, filename=str(path), folder=path.parent)
    return TuneDryRun(space, dry_run(space.config, report), effort)
