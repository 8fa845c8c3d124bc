"""A config enters; a plan leaves: its checked data, its model, and what feeds each phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.config import Config, DataConfig
from cnnkit.data.dataset import ImageDataset, load_dataset
from cnnkit.data.sources.builtin import make_builtin
from cnnkit.errors import UsageError
from cnnkit.model.build_model import build_model, build_optimizer
from cnnkit.progress import Report
from cnnkit.text import first_few
from cnnkit.training.image_batches import Feed
from cnnkit.training.phases import Phase, phases_of, set_trainable


@dataclass(frozen=True)
class Plan:
    """What a training would do: the config, its checked data, its model, the feed of each phase."""

    config: Config
    dataset: ImageDataset
    model: Any
    feeds: tuple[Feed, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what `train --dry-run --json` prints."""
        return {
            "classes": self.dataset.class_names,
            "counts": self.dataset.counts(),
            "skipped": self.dataset.skipped,
            "parameters": self.model.count_params(),
        }

    def text(self) -> str:
        """Return what `train --dry-run` prints."""
        names = self.dataset.class_names
        lines = [f"classes: {len(names)} ({', '.join(names[:10])})"]
        for split, counts in self.dataset.counts().items():
            lines.append(f"{split}: {sum(counts.values())} images")
        lines.append(f"parameters: {self.model.count_params():,}")
        lines.append("Nothing was trained (--dry-run).")
        return "\n".join(lines)


def prepare(config: Config, report: Report) -> Plan:
    """Check the data, build and compile the model. Nothing is written but the pixel cache.

    Raises:
        CnnkitError: the data or the model cannot be trained on as they are.
    """
    dataset = _load(config.data, report)
    if config.training.monitor.startswith("val_") and not len(dataset.select("validation")):
        raise UsageError(
            f"training.monitor is {config.training.monitor}, but there are no validation images. "
            "Set data.split.validation above 0, or training.monitor: train_loss."
        )
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    model = build_model(config, len(dataset.class_names))
    feeds = []
    for phase in phases_of(config):
        build_optimizer(phase.optimizer)
        set_trainable(model, phase)
        feeds.append(_feed(config, phase, dataset, report))
    return Plan(config, dataset, model, tuple(feeds))


def _load(data_config: DataConfig, report: Report) -> ImageDataset:
    make_builtin(data_config, report)
    with report.counting("reading images") as progress:
        return load_dataset(data_config, progress=progress, note=report.note)


def _feed(config: Config, phase: Phase, dataset: ImageDataset, report: Report) -> Feed:
    """Return the feed of a phase, from its own images where it has some.

    Raises:
        UsageError: their classes are others.
    """
    if phase.data is None:
        return Feed(config, dataset)
    changes = {"source": phase.data.source, "shapes": phase.data.shapes}
    others = _load(config.data.model_copy(update=changes), report)
    if others.class_names != dataset.class_names:
        differing = sorted(set(others.class_names) ^ set(dataset.class_names))
        raise UsageError(
            f"training.phases: {phase.data.source} has other classes than data.source "
            f"({first_few(differing)}). data.classes chooses those of both."
        )
    return Feed(config, others, dataset)
