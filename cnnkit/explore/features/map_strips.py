"""Feature maps in a size that can be sent: for each stage one grey picture of its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.stages import FLATTEN, IMAGE, Stage, most_active, path_from

_MOST_STAGES = 40
_MOST_MAPS = 16
_MOST_NUMBERS = 1024


@dataclass(frozen=True, eq=False)
class MapStrip:
    """The most active channels of a stage.

    Args:
        name: name of the layer; `conv_1/relu` for an activation that is an argument of conv_1.
        kind: such as `Conv2D` or `relu`.
        shape: (height, width, channels) of the stage; a row of numbers is 1 x 1 x numbers.
        channels: those that are in the picture, in the order of their numbers.
        low: the number that is 0 in the picture.
        high: the number that is 255 in the picture.
        levels: uint8 (channels * height, width), one channel below the other; a row of numbers is
            one line.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    channels: list[int]
    low: float
    high: float
    levels: NDArray


def map_strips(stages: Sequence[Stage]) -> list[MapStrip]:
    """Return a strip for each stage, from the first layer to the answer.

    A deep network is shown after each convolution with what belongs to it: normalisation,
    activation and pooling.
    """
    orders = most_active(stages)
    shown = set(range(len(stages)))
    if len(stages) > _MOST_STAGES:
        starts = [i for i, stage in enumerate(stages) if stage.convolution]
        shown = {*(path_from(stages, start)[-1] for start in starts), len(stages) - 1}
    kept = [i for i in sorted(shown) if stages[i].kind not in (IMAGE, FLATTEN)]
    return [_strip(stages[i], orders[i]) for i in kept]


def _strip(stage: Stage, order: NDArray) -> MapStrip:
    count = stage.values.shape[2]
    # One number per channel needs little room; the first ones keep the order of the classes.
    channels = np.arange(min(count, _MOST_NUMBERS)) if stage.is_row else np.sort(order[:_MOST_MAPS])
    maps = np.moveaxis(stage.values[..., channels], 2, 0)
    low, high = float(maps.min()), float(maps.max())
    levels = np.round((maps - low) / ((high - low) or 1) * 255).astype(np.uint8)
    levels = levels.reshape(1, -1) if stage.is_row else levels.reshape(-1, levels.shape[2])
    shape = stage.values.shape
    return MapStrip(stage.name, stage.title, shape, channels.tolist(), low, high, levels)
