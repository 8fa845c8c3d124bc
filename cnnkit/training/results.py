"""A trained run enters; its curves, its model for `predict` and its metrics leave."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from cnnkit.data.dataset import ImageDataset
from cnnkit.evaluation import Evaluation
from cnnkit.export import check_parity, golden_samples, write_tflite
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import ModelInfo
from cnnkit.plots import plot_curves
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.runtimes import load_predictor
from cnnkit.training.history import History
from cnnkit.training.plan import Plan

_GOLDEN_COUNT = 16


def write_results(run: Run, plan: Plan, history: History) -> None:
    """Write what a run has when its training is over; its metrics go to run.json."""
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
        folder=run.evaluation(name or split),
        paths=[dataset.samples[index].path for index in indices],
        labels=dataset.labels[indices],
        probabilities=np.concatenate([predictor(dataset.pixels(chunk)) for chunk in chunks]),
        class_names=dataset.class_names,
    )
    evaluation.write()
    return evaluation.metrics


def _write_tflite(run: Run, plan: Plan) -> None:
    model = load_keras_model(run.best)
    info = ModelInfo(plan.dataset.class_names, plan.dataset.settings, plan.config.model.output)
    golden = golden_samples(model, info, plan.dataset, count=_GOLDEN_COUNT)
    golden.save(run.golden)
    write_tflite(model, info, run.tflite)
    check_parity(load_predictor(run.tflite, run.folder.parent), golden, allow_constant=True)


def keep_best(run: Run, plan: Plan, report: Report) -> None:
    """Let the best weights of an interrupted training answer, and say so."""
    if not run.best.exists():
        report.note("Interrupted before the first epoch ended: there are no weights to keep.")
        return
    report.note(f"The best weights so far are kept: {run.best}")
    if not run.tflite.exists():
        _write_tflite(run, plan)
    folder = shlex.quote(str(run.folder))
    report.note(f"They answer already: cnnkit predict IMAGE --model {folder}")
    report.note(f"To go on: cnnkit train --resume {folder}")
