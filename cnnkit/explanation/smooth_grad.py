"""SmoothGrad: saliency averaged over noisy copies of the image. NumPy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cnnkit.explanation.saliency import saliency

NOISE_SHARE = 0.15  # of the range of the image's levels; the paper recommends 0.1 to 0.2
NUM_SAMPLES = 50  # the paper sees little change above 50
_BATCH = 10


def smooth_grad(
    gradients_of: Callable[[NDArray], tuple[NDArray, NDArray]], image: NDArray, *, seed: int = 0
) -> NDArray:
    """Return the map (height, width): the absolute value of the mean gradient of 50 noisy copies.

    The noise is Gaussian, with a standard deviation of 0.15 times the range of the image's levels.

    Args:
        gradients_of: images (num_images, height, width, channels) -> (their scores, gradients with
            the shape of the images).
        image: (height, width, channels), levels 0 to 255.
        seed: of the noise.

    Source: Smilkov et al. 2017, arXiv:1706.03825.
    """
    image = image.astype(np.float32)
    deviation = NOISE_SHARE * float(image.max() - image.min())
    random = np.random.default_rng(seed)
    total = np.zeros(image.shape, np.float64)
    for _ in range(NUM_SAMPLES // _BATCH):
        noise = random.normal(0, deviation, (_BATCH, *image.shape)).astype(np.float32)
        total += gradients_of(image + noise)[1].sum(axis=0, dtype=np.float64)
    return saliency(total / NUM_SAMPLES).astype(np.float32)
