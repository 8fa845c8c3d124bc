"""What can be known before a training, or in its first second: warnings, never refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.backend import tf
from cnnkit.explore.summarize import summary_of_built, summary_of_layers
from cnnkit.memory import this_computer_has
from cnnkit.model.build_model import compile_model
from cnnkit.model.optimizers import build_optimizer
from cnnkit.model.precision import in_float32
from cnnkit.text import size_text
from cnnkit.training.backbone_features import split_model
from cnnkit.training.disk_need import DiskNeed, disk_need
from cnnkit.training.first_batch import (
    FirstBatch,
    OneBatch,
    learn_one_batch,
    look_at_batch,
    sample_batch,
)
from cnnkit.training.phase_images import ImageBatches
from cnnkit.training.plan import Plan, PlannedPhase
from cnnkit.training.time_left import PhaseWork

_MOST_IMAGES = 32  # in the one batch of a dry run
_MOST_SECONDS = 5  # of learning that batch
# In a real run: images, and multiply-adds of their forward and backward pass, which keep the look
# at the first batch well below a second.
_FEW_IMAGES, _MOST_WORK = 8, 3e9


@dataclass(frozen=True)
class EarlyChecks:
    """What a dry run found out besides the time.

    Args:
        first: what happened to one batch; None if no phase learns by gradients.
        one: how that batch was learned; None likewise.
        memory: what training needs, in words; "" if it is not known.
        disk: what it writes.
        is_focal: whether the loss of the training is not the cross-entropy, which is shown here.
    """

    first: FirstBatch | None
    one: OneBatch | None
    memory: str
    disk: DiskNeed
    is_focal: bool = False

    def lines(self) -> Iterator[str]:
        """Yield what `train --dry-run` prints."""
        if self.first is not None and self.one is not None:
            kind = ", both as cross-entropy" if self.is_focal else ""
            yield f"first loss: {self.first.loss:.2f} ({self.first.guessing:.2f} is guessing{kind})"
            yield f"one batch: {self.one.text()}"
        if self.memory:
            yield f"memory: {self.memory}"
        yield f"disk: {self.disk.text()}"
        for warning in self.warnings():
            yield f"Warning: {warning}"

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for everything that may go wrong."""
        if self.first is not None and self.one is not None:
            yield from self.first.warnings()
            if text := self.one.warning():
                yield text
        if text := self.disk.warning():
            yield text

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "first_loss": None if self.first is None else self.first.loss,
            "one_batch_losses": None if self.one is None else list(self.one.losses),
            "disk_bytes": {"run": self.disk.run, "features": self.disk.features},
            "warnings": list(self.warnings()),
        }


def check_early(plan: Plan, runs_folder: Path) -> EarlyChecks:
    """Return what can be known before a training. The weights are the same afterwards.

    Args:
        plan: of the training.
        runs_folder: where its run folder will be.
    """
    memory, disk = _memory_text(plan), disk_need(plan, runs_folder)
    planned = next((each for each in plan.phases if not each.phase.is_probe), None)
    if planned is None:
        return EarlyChecks(None, None, memory, disk)
    size = min(_MOST_IMAGES, plan.config.data.batch_size)
    inputs, targets = sample_batch(planned.images, size)
    model = plan.model
    planned.layers.set_trainable()
    if planned.trains_head_only:
        extractor, model = split_model(model)
        inputs = extractor(inputs, training=False)
    before = model.get_weights()
    first = look_at_batch(model, inputs, targets)
    compile_model(model, plan.config, _optimizer(planned))
    one = learn_one_batch(model, np.asarray(inputs), targets, _MOST_SECONDS)
    model.set_weights(before)
    return EarlyChecks(first, one, memory, disk, plan.config.training.is_focal)


def _optimizer(planned: PlannedPhase) -> Any:
    """Return another optimizer for a phase: its own must be unused when the phase begins."""
    return build_optimizer(planned.phase.optimizer, planned.layers.rate_multiples())


def _memory_text(plan: Plan) -> str:
    config = plan.config
    batch_size = min(config.data.batch_size, len(plan.dataset.samples))
    if config.model.backbone is None:
        summary = summary_of_layers(config, plan.model.output_shape[-1], batch_size)
    else:
        summary = summary_of_built(plan.model, config, batch_size)
    if summary is None or summary.training_bytes is None:
        return ""
    needed = size_text(summary.training_bytes)
    return f"about {needed} for weights and one batch ({this_computer_has()})"


def first_warnings(planned: PlannedPhase, batches: Any, work: PhaseWork, model: Any) -> list[str]:
    """Return what a look at a few images tells when a phase begins; fast, and without a trace.

    Nothing that the training depends on changes: no weight, no average, no random state.

    Args:
        planned: the phase.
        batches: of the phase; on features there is too little to look at.
        work: how much it computes.
        model: what is trained, compiled.
    """
    if not isinstance(batches, ImageBatches) or planned.phase.is_probe:
        return []
    backbone = batches.config.model.backbone
    if backbone is not None and backbone.hub is not None:
        return []  # how much a module computes is not known
    size = min(_FEW_IMAGES, int(_MOST_WORK * batches.num_images / max(1, work.epoch.training)))
    if size < 1:
        return []
    inputs, targets = sample_batch(batches, size)
    # The first step of the training tells the loss, for nothing.
    with in_float32(model):  # as float16, small gradients would look like none
        return list(look_at_batch(model, tf.constant(inputs), targets).gradient_warnings())
