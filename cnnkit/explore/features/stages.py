"""Compute the maps of all stages of a model for one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.image_regions import Regions, regions_of
from cnnkit.explore.features.model_graph import Step
from cnnkit.explore.features.windows_and_kernels import (
    Kernel,
    Window,
    is_convolution,
    kernel_of,
    pool_of,
    window_of,
)

IMAGE, SUM, MAX, MEAN, MOVE = "image", "sum", "max", "mean", "move"
SCALE, RELU, FLATTEN, OTHER = "scale", "relu", "flatten", "other"
# In inference these layers change nothing, so they get no stage of their own.
_NOTHING_AT_INFERENCE = frozenset(
    "Dropout SpatialDropout2D AlphaDropout GaussianDropout GaussianNoise Identity "
    "ActivityRegularization".split()
)


@dataclass(frozen=True, eq=False)
class Stage:
    """One map between the image and the probabilities.

    Args:
        name: name of the layer; `conv_1/relu` for the activation that is an argument of conv_1.
        kind: how a number is computed from the stages below: SUM, MAX, MEAN, MOVE (copied from
            another place), SCALE (times `scale` plus `shift`), RELU, FLATTEN or OTHER; IMAGE for
            the image itself.
        title: what to call it for people, such as `Conv2D` or `relu`.
        values: (height, width, channels) float32; a row of numbers is 1 x 1 x numbers.
        regions: the part of the image that each position sees.
        parents: positions of the stages below, in the list of stages.
        position: position of the step in the graph.
        window: the window of SUM, MAX, MEAN and MOVE.
        kernel: the weights of SUM.
        scale: (channels,), for SCALE.
        shift: (channels,), for SCALE.
        convolution: whether it is the sum of a convolutional layer.
    """

    name: str
    kind: str
    title: str
    values: NDArray
    regions: Regions
    parents: tuple[int, ...] = ()
    position: int = 0
    window: Window | None = None
    kernel: Kernel | None = None
    scale: NDArray | None = None
    shift: NDArray | None = None
    convolution: bool = False

    @property
    def is_row(self) -> bool:
        """Whether it is a row of numbers instead of a map."""
        return self.values.shape[:2] == (1, 1)

    def activity(self) -> NDArray:
        """Return (channels,): how far the numbers of each channel are from their median on average.

        A channel that is the same everywhere shows nothing of the image, however large it is.
        """
        flat = self.values.reshape(-1, self.values.shape[2])
        return np.abs(flat - np.median(flat, axis=0)).mean(axis=0)


def stages_of(steps: Sequence[Step], pixels: NDArray) -> list[Stage]:
    """Return the stages of one image, each after its parents; the last one is the answer.

    A layer with an activation as its argument becomes two stages: before and after it.

    Args:
        steps: the graph from `cnnkit.explore.features.model_graph.steps_of`.
        pixels: (height, width, channels) uint8, the image as the model sees it.
    """
    regions = regions_of(steps)
    # A step may become no stage, one or two; stage_of tells which stage has its output.
    stages = [Stage("image", IMAGE, "image", pixels.astype(np.float32), regions[0])]
    stage_of = {0: 0}
    tensors: list[Any] = [pixels[None]]
    for position, step in enumerate(steps[1:], 1):
        entering = [tensors[i] for i in step.inputs]
        before = step.apply(entering, without_activation=True)
        # The activation is applied here, so that the layer itself is computed only once.
        after = before if step.activation is None else step.activation(before)
        tensors.append(after)
        if step.kind in _NOTHING_AT_INFERENCE:
            stage_of[position] = stage_of[step.inputs[0]]
            continue
        parents = tuple(stage_of[i] for i in step.inputs)
        below = steps[step.inputs[0]].shape if step.inputs else ()
        described = _described(step, below, _map(before), regions[position])
        stages.append(replace(described, parents=parents, position=position))
        if step.activation is not None:
            stages.append(_activated(step, stages, _map(after), position))
        stage_of[position] = len(stages) - 1
    return stages


def _map(tensor: Any) -> NDArray:
    """Return a tensor of one image as (height, width, channels)."""
    values = np.asarray(tensor)[0].astype(np.float32)
    if values.ndim == 3:
        return values
    # A row of numbers becomes one position; several rows become a column of positions.
    return values.reshape(1, 1, -1) if values.ndim < 2 else values.reshape(len(values), 1, -1)


def _described(step: Step, below: tuple[int, ...], values: NDArray, regions: Regions) -> Stage:
    """Return the stage of a step before its activation, with no parents yet."""
    stage = Stage(step.name, OTHER, step.kind, values, regions)
    window = window_of(step, below) if len(below) in (1, 3) else None
    kernel = kernel_of(step) if window is not None else None
    if kernel is not None:
        drawn = is_convolution(step)
        return replace(stage, kind=SUM, window=window, kernel=kernel, convolution=drawn)
    if window is not None:
        return replace(stage, kind=pool_of(step) or MOVE, window=window)
    if step.kind == "Flatten" and len(below) == 3:
        return replace(stage, kind=FLATTEN)
    if _is_relu(step):
        return replace(stage, kind=RELU, title="relu")
    scaled = _scale_and_shift(step, values.shape[2])
    if scaled is not None:
        scale, shift = (np.asarray(part, np.float32) for part in scaled)
        return replace(stage, kind=SCALE, scale=scale, shift=shift)
    title = _function_name(step.operation.activation) if step.kind == "Activation" else step.kind
    return replace(stage, title=title)


def _activated(step: Step, stages: list[Stage], values: NDArray, position: int) -> Stage:
    name = _function_name(step.activation)
    kind = RELU if name == "relu" else OTHER
    last = len(stages) - 1
    regions = stages[last].regions
    return Stage(f"{step.name}/{name}", kind, name, values, regions, (last,), position)


def _function_name(function: Any) -> str:
    return getattr(function, "__name__", None) or getattr(function, "name", "activation")


def _is_relu(step: Step) -> bool:
    layer = step.operation
    if step.kind == "ReLU":
        return layer.max_value is None and not layer.negative_slope and not layer.threshold
    return step.kind == "Activation" and _function_name(layer.activation) == "relu"


def _scale_and_shift(step: Step, channels: int) -> tuple[NDArray, NDArray] | None:
    """Return the factor and the summand of each channel; None for layers that do not scale."""
    layer = step.operation
    if step.kind == "Rescaling":
        ones = np.ones(channels, np.float32)
        return ones * np.asarray(layer.scale), ones * np.asarray(layer.offset)
    # Only over the channels. Keras counts the axis of the batch, which step.shape does not have.
    if step.kind == "BatchNormalization" and layer.axis in (-1, len(step.shape)):
        # In inference, normalising with the moving averages is a factor and a summand.
        scale = 1 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
        scale = scale * (np.asarray(layer.gamma) if layer.scale else 1)
        shift = -np.asarray(layer.moving_mean) * scale
        return scale, shift + (np.asarray(layer.beta) if layer.center else 0)
    return None


def path_from(stages: Sequence[Stage], start: int) -> list[int]:
    """Return a convolution's stage and the following ones in which each channel stays separate.

    These are normalisation, activation and pooling. The path ends where it forks, where another
    one joins it, and where channels are mixed.
    """
    path = [start]
    while True:
        followers = [i for i, stage in enumerate(stages) if path[-1] in stage.parents]
        if len(followers) != 1:
            return path
        stage = stages[followers[0]]
        alone = len(stage.parents) == 1 and stage.kind not in (SUM, FLATTEN)
        same = stage.values.shape[2] == stages[start].values.shape[2]
        if not alone or not same or stage.is_row:
            return path
        path.append(followers[0])


def most_active(stages: Sequence[Stage]) -> list[NDArray]:
    """Return the channels of every stage, the most active one first.

    All stages of a convolution's path have the order of its last one, so that the same channels
    are shown before and after activation and pooling.
    """
    # Stable, so that channels of equal activity keep their order.
    orders = [np.argsort(-stage.activity(), kind="stable") for stage in stages]
    for start, stage in enumerate(stages):
        path = path_from(stages, start) if stage.convolution else []
        for position in path:
            orders[position] = orders[path[-1]]
    return orders
