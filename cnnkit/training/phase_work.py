"""Work out how much each phase of a training computes, in multiply-adds or in parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnkit.arithmetic.layer_row import TRAINING_PASSES
from cnnkit.config import Config
from cnnkit.explore.summarize import summary_of_built
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.training.learning_layers import backbone_of
from cnnkit.training.plan import Plan, PlannedPhase
from cnnkit.training.time_left import PhaseWork, Work


@dataclass(frozen=True)
class _LayerCost:
    """What a layer costs for one image in a forward pass; only those of a backbone have a name."""

    cost: float
    backbone_layer: str | None


def phase_works(plan: Plan) -> tuple[PhaseWork, ...]:
    """Return the work of each phase of a plan."""
    costs = _layer_costs(plan.model, plan.config)
    return tuple(_phase_work(planned, costs) for planned in plan.phases)


def _phase_work(planned: PlannedPhase, costs: list[_LayerCost]) -> PhaseWork:
    phase, images, layers = planned.phase, planned.images, planned.layers
    # None stands for the head, or for a model without a backbone: these always learn.
    names = {
        None,
        *(one.name for one, learns in zip(layers.layers, layers.learns, strict=True) if learns),
    }
    forward = sum(layer.cost for layer in costs)
    learning = sum(layer.cost for layer in costs if layer.backbone_layer in names)
    frozen, once = forward - learning, Work(0)
    if planned.caches_features:
        once = Work(0, frozen * images.num_feature_images)
        forward, frozen = learning, 0
    step = frozen + TRAINING_PASSES * learning
    return PhaseWork(
        phase.epochs,
        Work(step * images.num_images, forward * images.num_validation_images),
        once,
        may_stop_early=phase.patience < phase.epochs,
    )


def _layer_costs(model: Any, config: Config) -> list[_LayerCost]:
    """Return multiply-adds, or parameters if some layer is known to Keras only."""
    backbone = backbone_of(model)
    summary = summary_of_built(model, config, batch_size=1)
    if summary is None or summary.multiply_adds is None:
        inside = set() if backbone is None else set(map(id, layers_of(backbone)))
        return [
            _LayerCost(layer.count_params(), layer.name if id(layer) in inside else None)
            for layer in layers_of(model)
        ]
    position = None if backbone is None else model.layers.index(backbone)
    return [
        # The path begins with the position in the whole model.
        _LayerCost(row.multiply_adds or 0, row.name if row.path[0] == position else None)
        for row in summary.rows
    ]
