"""Check a training without doing it, and measure a few steps to tell how long it will take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.backend import keras
from cnnkit.config import Config
from cnnkit.data.cache.feature_rows import FeatureRows
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.explore.memory_need import training_need
from cnnkit.memory import explaining_lack_of_memory
from cnnkit.model.build_model import compile_model
from cnnkit.progress import Report
from cnnkit.text import first_few
from cnnkit.training.backbone_features import BackboneFeatures, Features, split_model
from cnnkit.training.early_checks import EarlyChecks, check_early
from cnnkit.training.phase_features import PhaseBatches
from cnnkit.training.phase_images import ImageBatches
from cnnkit.training.phase_work import phase_works
from cnnkit.training.plan import Plan, PlannedPhase, prepare
from cnnkit.training.time_left import (
    Pace,
    PhaseWork,
    Work,
    epoch_seconds,
    expected_text,
    seconds_left,
    seconds_of,
)

_MOST_SECONDS = 5  # of measuring; at least one step is measured, however long it takes
_SHORT_EPOCH_SECONDS = 2


@dataclass(frozen=True)
class DryRun:
    """What a training would do, and how long it would take.

    Args:
        class_names: in label order.
        counts: the number of images by split and class.
        skipped: the path of each image that was left out, and the reason.
        parameters: of the model.
        seconds: the expected time of all phases; None if no step could be measured.
        expected: the same in words.
        checks: what else can be known before the training.
    """

    class_names: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    skipped: Any
    parameters: int
    seconds: float | None
    expected: str
    checks: EarlyChecks

    def as_dict(self) -> dict[str, Any]:
        """Return what `train --dry-run --json` prints."""
        return {
            "classes": self.class_names,
            "counts": self.counts,
            "skipped": self.skipped,
            "parameters": self.parameters,
            "expected_seconds": None if self.seconds is None else round(self.seconds, 1),
            **self.checks.as_dict(),
        }

    def text(self) -> str:
        """Return what `train --dry-run` prints."""
        lines = [f"classes: {len(self.class_names)} ({first_few(self.class_names, 10)})"]
        for split, counts in self.counts.items():
            lines.append(f"{split}: {sum(counts.values())} images")
        lines.append(f"parameters: {self.parameters:,}")
        lines.append(f"expected time: {self.expected}")
        lines += self.checks.lines()
        lines.append("No run was written (--dry-run).")
        return "\n".join(lines)


def dry_run(config: Config, report: Report, *, runs_folder: Path = Path(RUNS_FOLDER)) -> DryRun:
    """Check the data, build the model, and measure a few steps of training.

    Nothing but the pixel cache is written: the model that the steps change is thrown away.

    Args:
        config: of the training.
        report: shows what happens.
        runs_folder: where the run folder would be created.

    Raises:
        CnnkitError: the data or the model cannot be trained as they are.
    """
    plan = prepare(config, report)
    works = phase_works(plan)
    dataset = plan.dataset
    parameters = plan.model.count_params()  # now: measuring changes the model
    with explaining_lack_of_memory(lambda: training_need(config, plan.model, len(dataset.samples))):
        checks = check_early(plan, runs_folder)
        measured = _measure(plan, works, report)
    seconds = seconds_left(works, measured)
    return DryRun(
        dataset.class_names,
        dataset.counts(),
        dataset.skipped,
        parameters,
        seconds,
        "unknown" if seconds is None else _in_words(seconds, works, measured),
        checks,
    )


def _in_words(seconds: float, works: tuple[PhaseWork, ...], measured: dict[Work, float]) -> str:
    """Return the expected time, and that of an epoch of the phase whose epochs take longest."""
    of_phases = [seconds_of(work.epoch, measured) or 0.0 for work in works]
    longest = max(range(len(works)), key=lambda phase: works[phase].epochs * of_phases[phase])
    return expected_text(
        seconds,
        of_phases[longest],
        phase=longest + 1 if len(works) > 1 else None,
        at_most=any(work.may_stop_early for work in works),
    )


def _measure(plan: Plan, works: tuple[PhaseWork, ...], report: Report) -> dict[Work, float]:
    """Return the seconds of the work of one phase, or of more if there is time."""
    measured: dict[Work, float] = {}
    begin = time.perf_counter()
    # The largest first: the others can be estimated from it, because their times matter less.
    for work, planned in sorted(zip(works, plan.phases, strict=True), key=_total, reverse=True):
        if measured and time.perf_counter() - begin > _MOST_SECONDS:
            break
        if planned.caches_features:
            measured |= _measure_cached(plan.model, planned, work, report)
        elif work.epoch not in measured:
            model, batches = planned.start(plan.model, report)
            measured |= _measure_epoch(model, batches, work)
    return measured


def _total(phase: tuple[PhaseWork, PlannedPhase]) -> float:
    work = phase[0]
    return work.before.total + work.epochs * work.epoch.total


def _measure_cached(
    model: Any, planned: PlannedPhase, work: PhaseWork, report: Report
) -> dict[Work, float]:
    """Measure the features of a few images, and a few steps on numbers that stand in for them."""
    images, is_probe = planned.images, planned.phase.is_probe
    planned.layers.set_trainable()
    extractor, head = split_model(model, before_output=is_probe)
    features = BackboneFeatures(images, extractor, report)
    features.measure(_MOST_SECONDS / 2)
    measured = {}
    each = features.pace.seconds_per_image
    if each is not None:
        measured[work.before] = each * images.num_feature_images
    if not is_probe:
        compile_model(head, images.config, planned.optimizer)
        batches = _StandIns(images, extractor.output_shape[1:])
        measured |= _measure_epoch(head, batches, work)
    return measured


class _StandIns:
    """Batches of zeros in the shape of the features.

    Args:
        images: the batches of images.
        shape: of the features of one image.
    """

    def __init__(self, images: ImageBatches, shape: tuple[int, ...]) -> None:
        self.batch_size, self.num_images = images.batch_size, images.num_images
        self._images, self._shape = images, shape

    def training(self, epoch: int) -> Any:
        """Return the training batches of an epoch."""
        return self._images.training_from(self._zeros("train"), epoch, None)

    def validation(self) -> Any:
        """Return the validation batches, or None if there are no validation images."""
        if not self._images.num_validation_images:
            return None
        return self._images.in_order(self._zeros("validation"), "validation")

    def _zeros(self, split: str) -> Features:
        images = self._images
        dataset = images.dataset if split == "train" else images.validation_dataset
        indices = dataset.select(split)
        zeros = np.broadcast_to(np.float32(0), (len(indices), *self._shape))
        return Features(dataset, indices, FeatureRows(zeros, np.arange(len(indices)), 0))


_Batches = PhaseBatches | _StandIns


def _measure_epoch(model: Any, batches: _Batches, work: PhaseWork) -> dict[Work, float]:
    """Return the seconds of an epoch of a compiled model, from a few steps of it."""
    each = _training_pace(model, batches).seconds_per_image or 0.0
    seconds = epoch_seconds(work.epoch, each * batches.num_images)
    if seconds < _SHORT_EPOCH_SECONDS:
        # What an epoch takes besides its steps matters here. The graph of the validation is built
        # in the first of these epochs.
        for epoch in range(2):
            begin = time.perf_counter()
            _fit(model, batches, epoch, validation_data=batches.validation())
            seconds = time.perf_counter() - begin
    return {work.epoch: seconds}


def _training_pace(model: Any, batches: _Batches) -> Pace:
    """Train for a few steps, at most for an epoch, and return how long they took."""
    pace = Pace(skipped=1)
    begin = first_begin = time.perf_counter()

    def before_step(step: int, logs: Any = None) -> None:
        nonlocal begin
        begin = time.perf_counter()

    def after_step(step: int, logs: dict[str, float]) -> None:
        float(logs["loss"])  # waits for the result
        now, done = time.perf_counter(), step * batches.batch_size
        pace.add(min(batches.batch_size, batches.num_images - done), now - begin)
        is_late = now - first_begin > _MOST_SECONDS
        model.stop_training = pace.is_known or (is_late and pace.steps > 0)

    epoch = 0
    while not pace.steps:  # with a single step per epoch, the first epoch does not count
        callback = keras.callbacks.LambdaCallback(
            on_train_batch_begin=before_step, on_train_batch_end=after_step
        )
        _fit(model, batches, epoch, callbacks=[callback])
        epoch += 1
    return pace


def _fit(model: Any, batches: _Batches, epoch: int, **arguments: Any) -> None:
    model.fit(batches.training(epoch), shuffle=False, verbose=0, **arguments)
