"""The result of a calibration: the numbers, what they mean for the run's images, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cnnkit.calibration.answers import Answers
from cnnkit.calibration.thresholds import RiskCoverage
from cnnkit.model.calibration import Calibration
from cnnkit.runs import Run
from cnnkit.tables import table_text

# What the table calls the numbers of `Answers.measured`.
_ROWS = {
    "num_images": "images",
    "accuracy": "accuracy",
    "ece_before": "calibration error before",
    "ece": "calibration error now",
    "log_loss_before": "log loss before",
    "log_loss": "log loss now",
    "accepted": "distance accepted",
    "coverage": "answered",
    "precision": "right of these",
}
_NEAR_ONE = 0.05  # a temperature that changes hardly anything


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What `cnnkit calibrate` has found.

    Args:
        run: the run.
        calibration: what its model contains now.
        wanted: what was asked for.
        num_references: of training images.
        answers: of the model before the calibration, by split.
    """

    run: Run
    calibration: Calibration
    wanted: Mapping[str, Any]
    num_references: int
    answers: Mapping[str, Answers]

    @cached_property
    def measured(self) -> dict[str, dict[str, Any]]:
        """The numbers of `Answers.measured`, by split."""
        return {name: each.measured(self.calibration) for name, each in self.answers.items()}

    def curves(self) -> dict[str, tuple[RiskCoverage, float, float | None]]:
        """Return by split the risk-coverage curve, and the coverage and risk of the answers."""
        return {
            name: (
                answers.curve(self.calibration.temperature),
                self.measured[name]["coverage"],
                _risk(self.measured[name]["precision"]),
            )
            for name, answers in self.answers.items()
        }

    def facts(self) -> dict[str, Any]:
        """Return the content of calibration.json."""
        return {
            **self.calibration.as_dict(),
            "wanted": dict(self.wanted),
            "num_references": self.num_references,
            "measured": self.measured,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the run and the content of calibration.json."""
        return {"run": str(self.run.folder), **self.facts()}

    def text(self) -> str:
        """Return the temperature and the limits in words, and a table with a column per split."""
        calibration = self.calibration
        lines = [
            f"temperature       {calibration.temperature:.3f} ({self._verdict()})",
            f"largest distance  {calibration.largest_distance:.3f} from the fifth most similar of "
            f"{self.num_references:,} training images",
            f"threshold         {self._threshold_text()}",
        ]
        rows = [
            [label, *(_cell(values[key]) for values in self.measured.values())]
            for key, label in _ROWS.items()
        ]
        splits = list(self.measured)
        return "\n".join([*lines, "", table_text(["", *splits], rows, right=splits)])

    def _verdict(self) -> str:
        difference = self.calibration.temperature - 1
        if abs(difference) < _NEAR_ONE:
            return "its probabilities were about right"
        return "it was too sure of itself" if difference > 0 else "it was too hesitant"

    def _threshold_text(self) -> str:
        thresholds = set(self.calibration.thresholds)
        if thresholds == {0.0}:
            if self.wanted["precision"] is None and self.wanted["coverage"] is None:
                return "none: --precision or --coverage sets one"
            return "0.000: what was asked for is reached without one"
        numbers = sorted(each for each in thresholds if each is not None)
        if len(thresholds) == 1:
            return f"{numbers[0]:.3f}"
        never = ", and never for some classes" if None in thresholds else ""
        return f"{numbers[0]:.3f} to {numbers[-1]:.3f}, by class{never}"


def _risk(precision: float | None) -> float | None:
    return None if precision is None else 1 - precision


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
