"""What a run folder says about its training: curves, counts, metrics; read without TensorFlow."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.config import Config, load_config
from cnnkit.errors import UsageError
from cnnkit.files import WITHOUT_MARK
from cnnkit.metrics import focal_losses
from cnnkit.runs import Run
from cnnkit.text import quoted
from cnnkit.training.diagnosis.phase_curves import PhaseCurves
from cnnkit.training.history import COLUMNS
from cnnkit.training.phases import phases_of

_FEWEST_IMAGES = 30  # of validation


@dataclass(frozen=True)
class Evidence:
    """Everything that the rules look at.

    Args:
        folder: of the run.
        config: of the run.
        phases: the curves of each phase that has epochs, in order.
        counts: the number of images by split and class.
        metrics: the numbers of run.json by split; of the best weights.
        recalls: the recall of each class on validation; empty if they were not computed.
        copies: how many images of validation and test have the content of a training image.
        parameters: of the model.
        error: why the training failed; "" if it did not.
        is_finished: whether all of it was trained, as far as early stopping and limits let it.
        stopped_by: the limit that ended it, as in run.json; "" if none did.
        can_go_on: whether its backup is there, from which more epochs can be trained.
    """

    folder: Path
    config: Config
    phases: tuple[PhaseCurves, ...]
    counts: Mapping[str, Mapping[str, int]]
    metrics: Mapping[str, Mapping[str, float]]
    recalls: Mapping[str, float]
    copies: Mapping[str, int]
    parameters: int
    error: str = ""
    is_finished: bool = True
    stopped_by: str = ""
    can_go_on: bool = False

    @property
    def run(self) -> str:
        """The folder of the run as a word of a shell command."""
        return quoted(self.folder)

    @property
    def config_file(self) -> str:
        """The config of the run, likewise."""
        return quoted(self.folder / "config.yaml")

    @property
    def source(self) -> str:
        """Where the images come from, likewise."""
        return quoted(self.config.data.source)

    def size(self, split: str) -> int:
        """Return the number of images in a split."""
        return sum(self.counts.get(split, {}).values())

    @property
    def can_judge_validation(self) -> bool:
        """Whether there are enough validation images to tell learning from chance."""
        return self.size("validation") >= _FEWEST_IMAGES

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.counts["train"])

    def largest_share(self, split: str) -> float:
        """Return the share of the largest class: the accuracy of naming no other class."""
        counts = self.counts.get(split, {})
        return max(counts.values(), default=0) / max(1, sum(counts.values()))

    @property
    def is_balanced_by_training(self) -> bool:
        """Whether class weights or the sampling make up for rare classes."""
        training = self.config.training
        return training.class_weights is not None or training.balanced_sampling

    @property
    def chance_loss(self) -> float:
        """The loss of a model that knows how frequent each class is, and nothing else."""
        counts = np.array([count for count in self.counts["train"].values() if count], float)
        if self.is_balanced_by_training or self.config.training.label_smoothing:
            counts = np.ones(self.num_classes)
        shares = counts / counts.sum()
        return float(shares @ self._losses(np.eye(len(shares)), np.tile(shares, (len(shares), 1))))

    @property
    def least_loss(self) -> float:
        """The smallest loss that label smoothing allows; 0 without it."""
        smoothing, number = self.config.training.label_smoothing, self.num_classes
        if not smoothing:
            return 0.0
        true = 1 - smoothing + smoothing / number
        # Cross-entropy is smallest if the answer is the target, a focal loss if it is less sure.
        sure = np.append(true, np.linspace(1 / number, true, 500))[:, np.newaxis]
        answers = np.hstack([sure, np.tile((1 - sure) / (number - 1), (1, number - 1))])
        target = np.tile(answers[0], (len(sure), 1))
        return float(self._losses(target, answers).min())

    def _losses(self, targets: NDArray, probabilities: NDArray) -> NDArray:
        """Return the loss of the training for targets and probabilities, without any weights."""
        if not self.config.training.is_focal:
            return focal_losses(targets=targets, probabilities=probabilities)
        given = self.config.training.loss.arguments
        alpha, gamma = given["alpha"], given["gamma"]
        if "apply_class_balancing" in given:  # binary: alpha is of the second class
            alpha = (1 - alpha, alpha) if given["apply_class_balancing"] else 1.0
        return focal_losses(targets=targets, probabilities=probabilities, alpha=alpha, gamma=gamma)

    @property
    def main(self) -> PhaseCurves | None:
        """The last phase whose curves are long enough to be judged; None if there is none."""
        return next((phase for phase in reversed(self.phases) if phase.is_long_enough), None)


def read_evidence(run: Run) -> Evidence:
    """Return what a run folder says.

    Raises:
        UsageError: a file of the run is missing or damaged.
    """
    info, config = run.info(), load_config(run.config)
    counts = info.get("data", {}).get("counts")
    if not isinstance(counts, dict) or "train" not in counts:
        raise UsageError(
            f"{run.folder} does not say which images it learned from: its training ended before it "
            "began. Train again: cnnkit train CONFIG."
        )
    return Evidence(
        run.folder,
        config,
        _phases(run, config, _mean_weight(info)),
        counts,
        info.get("metrics", {}),
        _recalls(run),
        _copies(run),
        info.get("parameters", 0),
        info.get("error", "") if info["status"] == "failed" else "",
        info["status"] == "finished",
        info.get("stopped_by", ""),
        run.backup.exists(),
    )


def _mean_weight(info: Mapping[str, Any]) -> float:
    """Return the mean weight of the training images, 1 if they have no weights."""
    weights = info["data"].get("weights")
    return float(weights["mean"]) if isinstance(weights, dict) else 1.0


def _phases(run: Run, config: Config, mean_weight: float) -> tuple[PhaseCurves, ...]:
    # So that the training loss is on the scale of the validation loss, which has no weights.
    rows = [{**row, "train_loss": row["train_loss"] / mean_weight} for row in read_history(run)]
    return tuple(
        PhaseCurves(number, phase, tuple(own))
        for number, phase in enumerate(phases_of(config), 1)
        if (own := [row for row in rows if row["phase"] == number])
    )


def read_history(run: Run) -> list[dict[str, float]]:
    """Return the rows of history.csv as numbers; none if no epoch was finished.

    Raises:
        UsageError: the file is damaged.
    """
    if not run.history.exists():
        return []
    try:
        with run.history.open(newline="", **WITHOUT_MARK) as file:
            rows = [
                {name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UsageError(f"{run.history} is damaged: {error}. Use another run.") from error
    needed = {name for name in COLUMNS if not name.startswith("val_")}
    if any(needed - row.keys() for row in rows):
        raise UsageError(f"{run.history} is not as the run wrote it: a column is missing.")
    return rows


def _recalls(run: Run) -> dict[str, float]:
    """Return the recall of each class on validation; none if the split was not scored."""
    try:
        content = (run.evaluation("validation") / "metrics.json").read_text(encoding="utf-8")
        classes: Any = json.loads(content)["per_class"]
        return {name: float(values["recall"]) for name, values in classes.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"{run.evaluation('validation')} is damaged. Write it again: cnnkit evaluate "
            f"{run.argument} --split validation"
        ) from None


def _copies(run: Run) -> dict[str, int]:
    if not run.split.exists():
        return {}
    rows = run.read_split()
    learned = {row["sha256"] for row in rows if row["split"] == "train"}
    return {
        split: sum(row["split"] == split and row["sha256"] in learned for row in rows)
        for split in ("validation", "test")
    }
