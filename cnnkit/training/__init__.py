"""A config enters; a finished run leaves: weights, history, metrics, a model for `predict`."""

from __future__ import annotations

import platform
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit import __version__
from cnnkit.backend import keras, tf
from cnnkit.config import Config, DataConfig, dump_config
from cnnkit.data.builtin import make_builtin
from cnnkit.data.dataset import ImageDataset, load_dataset
from cnnkit.data.records import first_few
from cnnkit.errors import UsageError
from cnnkit.evaluation import Evaluation
from cnnkit.export import check_parity, golden_samples, write_tflite
from cnnkit.loading import load_keras_model
from cnnkit.model import build_model, build_optimizer
from cnnkit.model_info import ModelInfo
from cnnkit.plots import plot_curves
from cnnkit.progress import Silence
from cnnkit.runs import RUNS_FOLDER, Run, create_run, write_csv, write_text
from cnnkit.runtimes import load_predictor
from cnnkit.training.epochs import run_epochs
from cnnkit.training.feed import Feed
from cnnkit.training.history import History
from cnnkit.training.phases import Phase, phases_of, set_trainable

_GOLDEN_COUNT = 16


@dataclass(frozen=True)
class Plan:
    """What a training would do: the config, its checked data, its model, the feed of each phase."""

    config: Config
    dataset: ImageDataset
    model: Any
    feeds: tuple[Feed, ...]

    def describe(self) -> dict[str, Any]:
        """Return what `--dry-run` says."""
        return {
            "classes": self.dataset.class_names,
            "counts": self.dataset.counts(),
            "skipped": self.dataset.skipped,
            "parameters": self.model.count_params(),
        }


def prepare(config: Config, report: Silence) -> Plan:
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


def _load(data_config: DataConfig, report: Silence) -> ImageDataset:
    make_builtin(data_config, report)
    with report.counting("reading images") as progress:
        return load_dataset(data_config, progress=progress, note=report.note)


def _feed(config: Config, phase: Phase, dataset: ImageDataset, report: Silence) -> Feed:
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


def train(
    config: Config,
    *,
    name: str,
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Silence | None = None,
) -> Run:
    """Train a model from a config and return its run.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the best weights so far are kept.
    """
    report = report or Silence()
    plan = prepare(config, report)
    run = create_run(name, runs_folder)
    report.note(f"run: {run.folder}")
    with run.recording(), _sigterm_interrupts():
        _write_inputs(run, plan)
        try:
            history = run_epochs(plan.model, config, plan.feeds, run, report)
            _finish(run, plan, history)
        except KeyboardInterrupt:
            report.close()
            _keep_best(run, plan, report)
            raise
        finally:
            report.close()
    return run


def _write_inputs(run: Run, plan: Plan) -> None:
    dataset = plan.dataset
    write_text(run.config, dump_config(plan.config))
    write_text(run.classes, "".join(f"{name}\n" for name in dataset.class_names))
    write_csv(run.split, ("path", "label", "split", "sha256"), _split_rows(dataset))
    run.update(
        versions=_versions(),
        seed=plan.config.training.seed,
        data={
            "source": plan.config.data.source,
            "fingerprint": dataset.fingerprint,
            "counts": dataset.counts(),
            "skipped": [{"path": path, "reason": reason} for path, reason in dataset.skipped],
        },
        parameters=plan.model.count_params(),
    )


def _split_rows(dataset: ImageDataset) -> list[dict[str, str]]:
    return [
        {
            "path": sample.path,
            "label": dataset.class_names[sample.label],
            "split": sample.split,
            "sha256": sample.sha256,
        }
        for sample in dataset.samples
    ]


def _finish(run: Run, plan: Plan, history: History) -> None:
    plot_curves(history.rows, run.plot("curves"), best_epoch=history.best["epoch"])
    _write_tflite(run, plan)
    metrics = {
        split: evaluate_split(run, plan.dataset, split)
        for split in ("validation", "test")
        if len(plan.dataset.select(split))
    }
    for number, feed in enumerate(plan.feeds, 1):
        if feed.dataset is not plan.dataset and len(feed.dataset.select("test")):
            name = f"phase{number}_test"
            metrics[name] = evaluate_split(run, feed.dataset, "test", name)
    summary = {
        split: {key: value for key, value in values.items() if isinstance(value, int | float)}
        for split, values in metrics.items()
    }
    run.update(epochs=len(history.rows), best_epoch=history.best["epoch"], metrics=summary)


def evaluate_split(
    run: Run, dataset: ImageDataset, split: str, name: str | None = None
) -> dict[str, Any]:
    """Score the run's model.tflite on a split of a dataset and write evaluation/<name>/."""
    indices = dataset.select(split)
    predictor = load_predictor(run.tflite, run.folder.parent)
    chunks = np.array_split(indices, max(1, len(indices) // 64))
    evaluation = Evaluation(
        name=name or split,
        paths=[dataset.samples[index].path for index in indices],
        labels=dataset.labels[indices],
        probabilities=np.concatenate([predictor(dataset.pixels(chunk)) for chunk in chunks]),
        class_names=dataset.class_names,
    )
    return evaluation.write(run.evaluation(name or split))


def _write_tflite(run: Run, plan: Plan) -> None:
    model = load_keras_model(run.best)
    info = ModelInfo(plan.dataset.class_names, plan.dataset.settings, plan.config.model.output)
    golden = golden_samples(model, info, plan.dataset, count=_GOLDEN_COUNT)
    golden.save(run.golden)
    write_tflite(model, info, run.tflite)
    check_parity(load_predictor(run.tflite, run.folder.parent), golden, allow_constant=True)


def _keep_best(run: Run, plan: Plan, report: Silence) -> None:
    if not run.best.exists():
        report.note("Interrupted before the first epoch ended: there are no weights to keep.")
        return
    report.note(f"Interrupted. The best weights so far are kept: {run.best}")
    if not run.tflite.exists():
        _write_tflite(run, plan)
    report.note(f"They answer already: cnnkit predict IMAGE --model {run.folder}")


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end a training as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("tensorflow", "keras", "numpy", "pillow")
    return {
        "cnnkit": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "platform": f"{sys.platform} {platform.machine()}",
    }
