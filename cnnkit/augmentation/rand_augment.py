"""RandAugment: change each image by operations that are drawn for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnkit.augmentation import areas, colours, geometry
from cnnkit.augmentation.arguments import limits
from cnnkit.augmentation.keys import Draws
from cnnkit.augmentation.operations import HostStage


class RandAugment:
    """Do `num_ops` of eleven operations on each image, with a strength of up to `factor`.

    The operations and their strengths are those of Keras's layer. Each one resamples on its own.

    Source: Cubuk et al. 2020, RandAugment, arXiv:1909.13719.
    """

    needs_whole = True

    def __init__(
        self, num_ops: int = 2, factor: Any = 0.5, interpolation: str = "bilinear"
    ) -> None:
        """Build the eleven operations."""
        self._num_ops = num_ops
        pair = list(limits("factor", factor, 0, 1))
        border = {"interpolation": interpolation}
        operations = [
            geometry.RandomShear(pair, pair, **border),
            geometry.RandomTranslation(pair, pair, **border),
            geometry.RandomRotation(pair, **border),
            colours.RandomBrightness(pair),
            colours.RandomColorDegeneration(pair),
            colours.RandomContrast(pair),
            areas.RandomSharpness(pair),
            # At least one bit, because nothing is left of an image with none.
            colours.RandomPosterization(max(1, int(8 * pair[1]))),
            colours.Solarization(pair, pair),
            colours.AutoContrast(),
            colours.Equalization(),
        ]
        self._stages = [HostStage([(place, each)]) for place, each in enumerate(operations)]

    def change(self, images: np.ndarray, draws: Draws) -> np.ndarray:
        """Return the changed images, uint8 (n, height, width[, 3])."""
        for _ in range(self._num_ops):
            chosen = np.floor(draws.uniform(0, len(self._stages)))
            keys = draws.bits()  # new ones, so that an operation that is drawn twice differs
            for number, stage in enumerate(self._stages):
                at = np.flatnonzero(chosen == number)
                # All images that drew the same operation are changed in one call.
                if len(at):
                    images[at] = stage.change_planes(images[at], keys[at])
        return images
