"""Tell from trainings with several seeds whether the search has won anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np

from cnnkit.tuning.final_trainings import AS_WRITTEN, FinalTraining
from cnnkit.tuning.study_settings import Metric

_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class FinalScores:
    """The scores of one config.

    Args:
        name: `trial007`, or `written` for the config without any change.
        seeds: those that were trained.
        scores: by split, one for each seed.
    """

    name: str
    seeds: Sequence[int]
    scores: dict[str, list[float]]

    @property
    def words(self) -> str:
        """What a table calls the config."""
        is_written = self.name == AS_WRITTEN
        return "as written" if is_written else f"trial {int(self.name.removeprefix('trial'))}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with mean and standard deviation of each split."""
        return {
            "name": self.name,
            "seeds": list(self.seeds),
            **{
                split: {"scores": scores, "mean": fmean(scores), "deviation": deviation_of(scores)}
                for split, scores in self.scores.items()
            },
        }


@dataclass(frozen=True)
class FinalComparison:
    """The best config of a search beside the config as it is written, over the same seeds.

    Args:
        metric: the score.
        best: the scores of the best config; None if that is the config as it is written.
        written: those of the config as it is written.
    """

    metric: Metric
    best: FinalScores | None
    written: FinalScores

    @property
    def split(self) -> str:
        """The images that decide: those of the test split, unless there are none."""
        return "test" if "test" in self.written.scores else "validation"

    @property
    def difference(self) -> tuple[float, float | None, float | None]:
        """By how much the best config is better (not larger), and the 95% interval of that.

        The interval is Welch's, of two means with different variances; None with a single seed. It
        says what other seeds would change, not what other images would.
        """
        if self.best is None:
            return 0.0, None, None
        pair = [np.array(each.scores[self.split]) for each in (self.best, self.written)]
        sign = 1 if self.metric.larger_is_better else -1
        found = sign * (pair[0].mean() - pair[1].mean())
        if len(pair[0]) < 2:
            return float(found), None, None
        if not any(np.ptp(scores) for scores in pair):  # every seed gave the same
            return float(found), float(found), float(found)
        from scipy.stats import ttest_ind

        test = ttest_ind(sign * pair[0], sign * pair[1], equal_var=False)
        interval = test.confidence_interval()
        return float(found), float(interval.low), float(interval.high)

    def verdict(self) -> str:
        """Return in a sentence whether the search has won anything."""
        if self.best is None:
            return "No trial was better than the config as it is written: keep that."
        found, low, high = self.difference
        what = f"{self.split} {self.metric.name}"
        by = f"{abs(found):.4f} {'better' if found >= 0 else 'worse'}"
        if low is None or high is None:
            return f"On average {what} is {by} than as written, but one seed may be chance."
        interval = f"95% interval {low:+.4f} to {high:+.4f} over {len(self.best.seeds)} seeds each"
        if low > 0:
            return f"The search has won: {what} is {by} than as written ({interval})."
        if high < 0:
            return f"The search has lost: {what} is {by} than as written ({interval}). Keep that."
        return (
            f"The search has won nothing that these seeds can show: {what} is {by} than as written "
            f"({interval})."
        )

    def rows(self) -> list[list[str]]:
        """Return rows of a table: the config, then mean and spread of each split."""
        both = [self.best, self.written] if self.best else [self.written]
        return [
            [each.words, str(len(each.seeds))]
            + [mean_text(each.scores[split]) for split in _SPLITS if split in each.scores]
            for each in both
        ]

    def columns(self) -> list[str]:
        """Return the header of that table."""
        splits = [split for split in _SPLITS if split in self.written.scores]
        return ["config", "seeds", *(f"{split} {self.metric.name}" for split in splits)]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found, low, high = self.difference
        return {
            "best": self.best.as_dict() if self.best else None,
            "as_written": self.written.as_dict(),
            "split": self.split,
            "better_by": found,
            "interval": None if low is None else [low, high],
            "verdict": self.verdict(),
        }


def compare_finals(finals: Sequence[FinalTraining], metric: Metric) -> FinalComparison:
    """Return what finished trainings tell.

    Args:
        finals: of `final_trainings`, all of them finished.
        metric: the score.
    """
    found = {name: _scores(name, finals, metric) for name in {final.name for final in finals}}
    written = found.pop(AS_WRITTEN)
    return FinalComparison(metric, next(iter(found.values()), None), written)


def _scores(name: str, finals: Sequence[FinalTraining], metric: Metric) -> FinalScores:
    mine = [final for final in finals if final.name == name]
    scores: dict[str, list[float]] = {}
    for final in mine:
        metrics = final.run.info()["metrics"]
        for split in (split for split in _SPLITS if split in metrics):
            scores.setdefault(split, []).append(metrics[split][metric.name])
    return FinalScores(name, [final.seed for final in mine], scores)


def deviation_of(scores: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample, None of a single number."""
    return stdev(scores) if len(scores) > 1 else None


def mean_text(scores: Sequence[float]) -> str:
    """Return mean and standard deviation.

    >>> mean_text([0.5, 0.7]), mean_text([0.5])
    ('0.6000 ± 0.1414', '0.5000')
    """
    deviation = deviation_of(scores)
    return f"{fmean(scores):.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")
