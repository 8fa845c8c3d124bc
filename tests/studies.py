"""A config with a search that trains in seconds, and studies of it."""

from __future__ import annotations

from pathlib import Path

from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

import cnnkit
from cnnkit.progress import Report
from cnnkit.runs.study_runs import StudyRuns
from cnnkit.tuning.study import Study, create_study
from cnnkit.tuning.study_settings import StudySettings

DIGITS = """\
data: {source: digits, image_size: 8, color_mode: grayscale, batch_size: 128, split: {test: 0.2}}
model: {layers: [flatten, {dense: {units: 16, activation: relu}}]}
training:
  epochs: 2
  optimizer: {adam: {learning_rate: 0.01}}
  tensorboard: false
  precision: float32  # as `auto` is written into a run on a CPU
search:
  training.optimizer.adam.learning_rate: {log: [1e-4, 1e-1]}
  data.batch_size: [128, 256]
"""


def write_config(folder: Path, text: str = DIGITS, name: str = "digits") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def tune_digits(folder: Path, **options):
    """Run a study of four trials and one final seed in a folder, and return its result."""
    path = write_config(folder)
    return cnnkit.tune(path, runs_folder=folder / "runs", **{"trials": 4, "seeds": 1} | options)


def new_study(folder: Path, text: str = DIGITS, **settings) -> Study:
    """Return an open study without a trial."""
    own = StudySettings("own", None, "digits.yaml", str(folder), **settings)
    runs = StudyRuns(folder / "own")
    runs.folder.mkdir()
    runs.config.write_text(text)
    runs.write(own.as_dict())
    return create_study(runs, own, own.space(text), None)


class InterruptedTrial(Report):
    """Is interrupted, as by Ctrl-C, when an epoch begins."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def epoch_begins(self, epoch, epochs, num_images):
        if epoch == self._epoch:
            raise KeyboardInterrupt


RATE = "training.optimizer.adam.learning_rate"


def known_trial(state, rate, value=None, by_epoch=None, **attributes):
    """Return a trial of `DIGITS` that has ended."""
    return create_trial(
        state=state,
        value=value,
        params={RATE: rate, "data.batch_size": "256"},
        distributions={
            RATE: FloatDistribution(1e-4, 1e-1, log=True),
            "data.batch_size": CategoricalDistribution(("128", "256")),
        },
        user_attrs=attributes,
        intermediate_values=by_epoch or {},
    )
