"""Write what a run has at the end: curves, model.tflite, the metrics of its splits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnkit.data.dataset import ImageDataset
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.scores import Evaluation
from cnnkit.export import check_parity, golden_samples
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.build_model import without_optimizer
from cnnkit.model.loading import naming_damage
from cnnkit.model.mirrored_model import answering_model
from cnnkit.model.model_info import ModelInfo
from cnnkit.model.precision import FLOAT32, set_precision
from cnnkit.plots.curves import plot_curves
from cnnkit.runs import Run
from cnnkit.runtimes import load_predictor
from cnnkit.training.history import History
from cnnkit.training.plan import Plan

_PIXELS_AT_ONCE = 2**26  # bytes; 64 images of 591 x 591
_GOLDEN_COUNT = 16  # images that every export of the run is checked with


def write_results(run: Run, plan: Plan, history: History, *, evaluate_test: bool) -> None:
    """Write all results of a finished training; the metrics also go to run.json.

    Args:
        run: the run.
        plan: its training.
        history: of all epochs.
        evaluate_test: whether the test images are scored, too. A run that is one of many to choose
            from is judged by its validation images alone.
    """
    plot_curves(history.rows, run.plot("curves"), best_epoch=history.best["epoch"])
    write_best_model(run, plan)
    metrics = {
        split: _evaluate_split(run, plan.dataset, split, split)
        for split in ("validation", "test")[: 1 + evaluate_test]
        if len(plan.dataset.select(split))
    }
    for number, planned in enumerate(plan.phases, 1):
        dataset = planned.images.dataset
        # A phase with images of its own is also judged by their test split.
        if evaluate_test and dataset is not plan.dataset and len(dataset.select("test")):
            name = f"phase{number}_test"
            metrics[name] = _evaluate_split(run, dataset, "test", name)
    summary = {
        # run.json gets the single numbers; the rest, by class, is in evaluation/.
        split: {key: value for key, value in values.items() if isinstance(value, int | float)}
        for split, values in metrics.items()
    }
    run.update(epochs=len(history.rows), best_epoch=history.best["epoch"], metrics=summary)


def _evaluate_split(run: Run, dataset: ImageDataset, split: str, name: str) -> dict[str, Any]:
    """Score the run's model.tflite on a split of a data set and write evaluation/<name>/."""
    indices = dataset.select(split)
    # The file that predict will use is scored, not the model in memory.
    predictor = load_predictor(run.tflite, run.folder.parent)
    at_once = max(1, _PIXELS_AT_ONCE // math.prod(dataset.shape))  # bounds the memory for pixels
    chunks = np.array_split(indices, math.ceil(len(indices) / at_once))
    evaluation = Evaluation(
        run.evaluation(name),
        Predictions(
            dataset.class_names,
            [dataset.samples[index].path for index in indices],
            dataset.labels[indices],
            np.concatenate([predictor(dataset.pixels(chunk)) for chunk in chunks]),
        ),
    )
    evaluation.write(in_full=False)
    return evaluation.metrics


def write_best_model(run: Run, plan: Plan) -> None:
    """Write model.tflite from the best weights, and golden.npz to check exports with."""
    # They may be of earlier weights, if we are interrupted.
    for path in (run.tflite, run.calibration, run.calibration.with_suffix(".npz")):
        path.unlink(missing_ok=True)
    set_precision(plan.model, FLOAT32)
    model = without_optimizer(plan.model)
    with naming_damage(run.best):
        model.load_weights(run.best)  # the file is read back, without the time to build a model
    model = answering_model(model, plan.config)
    info = ModelInfo(plan.dataset.class_names, plan.dataset.settings, plan.config.model.output)
    golden = golden_samples(
        model, info, plan.dataset, count=_GOLDEN_COUNT, batch_size=plan.config.data.batch_size
    )
    # Before the file that they check: a model.tflite is never without its samples.
    golden.save(run.golden)
    write_tflite(model, info, run.tflite)
    # The same answer for all images is allowed: a training that learned nothing gives it.
    check_parity(load_predictor(run.tflite, run.folder.parent), golden, allow_constant=True)


def interruption_text(run: Run, *, is_trained: bool) -> str:
    """Return what the user of an interrupted training should know: what is kept, what to type.

    Args:
        run: the run, with the files that it has now.
        is_trained: whether all epochs were finished.
    """
    resume = f"cnnkit train --resume {run.argument}"
    epochs, place = run.num_epochs(), run.info().get("stopped")
    if not run.best.exists() and place:
        return (
            f"Interrupted {place}. What was trained is kept, but no epoch has ended, so there is "
            f"no model yet.\nTo continue: {resume}"
        )
    if not run.best.exists():
        when = "before the first epoch ended"
        if epochs:  # a second Ctrl-C came before they were saved
            when = f"after epoch {epochs}, before any weights were saved"
        return f"Interrupted {when}: there are no weights to keep.\nTo start again: {resume}"
    during = ", the last one, while the results were being written" if is_trained else ""
    return "\n".join(
        [
            f"Interrupted {place or f'after epoch {epochs}'}{during}.",
            f"The best weights so far are kept: {run.best}",
            f"They can be used now: cnnkit predict IMAGE --model {run.argument}",
            f"To continue: {resume}",
        ]
    )
