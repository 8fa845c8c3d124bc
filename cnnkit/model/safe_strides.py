"""Tell which convolutions must not use their strides, without importing TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnkit.arithmetic import spread

_SAFE_CHANNELS = 16


def needs_sampling(kind: str, given: Mapping[str, Any], channels: int) -> bool:
    """Tell whether training this layer may crash TensorFlow.

    On a CPU, the gradient of a 1 x 1 convolution with strides writes to memory that it does not
    own, and crashes the process, if there are fewer than 16 channels and an odd number of images
    (seen with TensorFlow 2.19 and 2.21, oneDNN). Leaving out pixels first and then convolving
    without strides gives the same result.

    Args:
        kind: the Keras class of the layer.
        given: the arguments that the config gives.
        channels: of the map that reaches the layer.
    """
    if kind != "Conv2D" or channels >= _SAFE_CHANNELS:
        return False
    window, strides = (spread(given.get(key, 1), 2) for key in ("kernel_size", "strides"))
    return set(window) == {1} and set(strides) != {1}
