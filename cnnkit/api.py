"""The command line's verbs for Python: paths and configs enter, runs and predictions leave."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cnnkit.config import Config, load_config
from cnnkit.prediction import Prediction, find_images, predict
from cnnkit.runs import RUNS_FOLDER, Run
from cnnkit.runtimes import Predictor, load_predictor


class TrainedModel:
    """A run, or a model file, that answers.

    Args:
        model: run folder or name, `.tflite`, `.onnx`, `.keras`, SavedModel folder; None means the
            newest finished run.
        runs_folder: where run names are looked for.
    """

    def __init__(
        self, model: str | os.PathLike | None = None, runs_folder: str | os.PathLike = RUNS_FOLDER
    ) -> None:
        self.predictor: Predictor = load_predictor(model, Path(runs_folder))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in label order."""
        return self.predictor.info.class_names

    def predict(self, images: Iterable[str | Path | bytes]) -> list[Prediction]:
        """Return one prediction an image: paths, folders, globs, or bytes of image files.

        A prediction of a file that cannot be read has `error` set and no probabilities.
        """
        if isinstance(images, str | Path | bytes):
            images = [images]
        sources: list[Any] = []
        for image in images:
            sources.extend([image] if isinstance(image, bytes) else find_images([str(image)]))
        return list(predict(self.predictor, sources))


def load_run(
    run: str | os.PathLike | None = None, runs_folder: str | os.PathLike = RUNS_FOLDER
) -> TrainedModel:
    """Return the model of a run; without a name, of the newest finished one.

    Raises:
        UsageError: there is no such run.
    """
    return TrainedModel(run, runs_folder)


def train(
    config: str | os.PathLike | Config,
    *,
    overrides: Sequence[str] = (),
    name: str | None = None,
    runs_folder: str | os.PathLike = RUNS_FOLDER,
) -> Run:
    """Train from a config file, or a loaded config, and return the run.

    Args:
        config: path of a YAML file, or the Config that `load_config` gave.
        overrides: as `--set`: `["training.epochs=3"]`.
        name: the run's name; by default the config file's.
        runs_folder: where the run folder is made.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
    """
    from cnnkit.training import train as train_config

    overrides = [overrides] if isinstance(overrides, str) else overrides
    if isinstance(config, Config):
        loaded, stem = config, "run"
    else:
        loaded, stem = load_config(Path(config), overrides), Path(config).stem
    return train_config(loaded, name=name or stem, runs_folder=Path(runs_folder))


def resume(
    run: str | os.PathLike | None = None, *, runs_folder: str | os.PathLike = RUNS_FOLDER
) -> Run:
    """Let a training go on that was interrupted, from its last finished epoch, and return its run.

    Args:
        run: folder or name; None is the newest run that did not finish.
        runs_folder: where run names are looked for.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
    """
    from cnnkit.training import resume as resume_run

    return resume_run(run, runs_folder=Path(runs_folder))


__all__ = ["TrainedModel", "load_config", "load_run", "resume", "train"]
