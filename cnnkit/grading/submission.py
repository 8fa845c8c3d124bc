"""Read a submission: its network and its training, but never its data or what it names outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnnkit.config import Config
from cnnkit.config.load_config import config_from_document, config_text_of
from cnnkit.config.model_section import NO_PATHS
from cnnkit.config.problems import Mistake, located
from cnnkit.config.runtime_section import RuntimeConfig
from cnnkit.config.training_section import PhaseConfig, TrainingConfig
from cnnkit.config.yaml_reader import read_yaml
from cnnkit.errors import ConfigError, KeyPath
from cnnkit.grading.read_rubric import FROM_SUBMISSION
from cnnkit.grading.rubric import Rubric, RubricTraining

_WORDS = {
    "imagenet": "ImageNet weights are",
    "weights": "these weights are",
    "backbone_file": "this file is",
    "backbone_run": "this run is",
    "hub": "this TF Hub module is",
    "phase_data": "these images are",
}
_BACKBONE_KEYS = {"hub": "hub", "run": "backbone_run", "file": "backbone_file"}


def read_submission(path: Path, rubric: Rubric) -> Config:
    """Return what is trained: the submission with the data, seed and limits of the rubric.

    Of the submission's own data section, only the sizes of images and batches count, and only if
    the rubric does not set them.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it has mistakes, or names something outside that the rubric does not allow.
    """
    document = read_yaml(config_text_of(path), str(path))
    if isinstance(document.data, dict):
        found = _outside(document.data)
        refused = [mistake for mistake, word in found if word not in rubric.allow]
        if refused:
            raise ConfigError(located(refused, document))
        own = document.data.get("data")
        kept = {key: own[key] for key in FROM_SUBMISSION if key in own} if _is_section(own) else {}
        document.data["data"] = {**kept, **rubric.data}
        document.data.pop("search", None)
    config = config_from_document(document, path.parent)
    return config.model_copy(
        update={
            "training": _limited(config.training, rubric.training),
            "runtime": RuntimeConfig(),
        }
    )


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping)


def _outside(data: Mapping[str, Any]) -> Iterator[tuple[Mistake, str]]:
    """Yield what a submission names outside itself, with the word that allows it in a rubric."""
    model, training = data.get("model"), data.get("training")
    if _is_section(model):
        if model.get("weights") is not None:
            yield _refused(("model", "weights"), "weights")
        backbone = model.get("backbone")
        if _is_section(backbone):
            yield from _outside_of_backbone(backbone)
    phases = training.get("phases") if _is_section(training) else None
    for index, phase in enumerate(phases if isinstance(phases, list) else ()):
        if _is_section(phase) and phase.get("data") is not None:
            yield _refused(("training", "phases", index, "data"), "phase_data")


def _outside_of_backbone(backbone: Mapping[str, Any]) -> Iterator[tuple[Mistake, str]]:
    for key, word in _BACKBONE_KEYS.items():
        if backbone.get(key) is not None:
            yield _refused(("model", "backbone", key), word)
    weights = backbone.get("weights", "imagenet")
    if backbone.get("name") is None or weights == "none":
        return
    yield _refused(
        ("model", "backbone", "weights" if "weights" in backbone else "name"),
        "imagenet" if weights in NO_PATHS else "weights",
    )


def _refused(path: KeyPath, word: str) -> tuple[Mistake, str]:
    message = f"{_WORDS[word]} outside the submission, which the rubric does not allow."
    if word == "imagenet":
        message += " Write weights: none for random weights."
    return Mistake(path, message, "key"), word


def _limited(training: TrainingConfig, rubric: RubricTraining) -> TrainingConfig:
    minutes = [each for each in (training.max_minutes, rubric.max_minutes) if each is not None]
    most = rubric.max_epochs or training.epochs
    return training.model_copy(
        update={
            "seed": rubric.seed,
            "epochs": min(training.epochs, most),
            "phases": tuple(_limited_phase(phase, rubric) for phase in training.phases),
            "max_minutes": min(minutes) if minutes else None,
            "loggers": (),  # they would send numbers to other programs
            "tensorboard": False,
            "keep_backup": False,
        }
    )


def _limited_phase(phase: PhaseConfig, rubric: RubricTraining) -> PhaseConfig:
    if phase.epochs is None or rubric.max_epochs is None:
        return phase
    return phase.model_copy(update={"epochs": min(phase.epochs, rubric.max_epochs)})
