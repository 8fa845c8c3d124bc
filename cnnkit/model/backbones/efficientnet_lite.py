"""Build EfficientNet-Lite, a variant of EfficientNet for processors without special hardware.

Source: Tan & Le 2019, arXiv:1905.11946, table 1 and equation 3. The Lite variant has no
squeeze-and-excitation, ReLU6 instead of swish, and leaves stem, head and the depth of the first
and last stage unscaled (github.com/tensorflow/tpu, models/official/efficientnet/lite). Its layers
have the names that Keras gives those of EfficientNet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from string import ascii_lowercase
from typing import Any

import numpy as np

from cnnkit.backend import keras

# For each network: multiples of width and depth.
_SCALES = {
    "EfficientNetLite0": (1.0, 1.0),
    "EfficientNetLite1": (1.0, 1.1),
    "EfficientNetLite2": (1.1, 1.2),
}
# For each stage: blocks, kernel size, stride of the first block, expansion, filters.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280
_DROP_RATE = 0.2  # of the last block; it rises from 0 (stochastic depth)
# Of the published network. Keras has the same defaults, but may change them.
_BATCH_NORM = {"epsilon": 1e-3, "momentum": 0.99}


def efficientnet_lite(name: str, image: Any, values: Any) -> Any:
    """Return an EfficientNet-Lite without its classifier, with random weights.

    Args:
        name: EfficientNetLite0, 1 or 2.
        image: the Keras input that `values` were computed from.
        values: float tensor (batch, height, width, 3), (pixel - 127) / 128.

    Returns:
        A model with output (batch, height / 32, width / 32, 1280), each side rounded up.
    """
    width, depth = _SCALES[name]
    values = _convolution(values, "stem", _STEM_FILTERS, 3, strides=2)
    repeats = [
        # The first and last stage have one block in every network.
        blocks if number in (0, len(_STAGES) - 1) else math.ceil(depth * blocks)
        for number, (blocks, *_) in enumerate(_STAGES)
    ]
    done = 0
    for number, (_, kernel, stride, expansion, filters) in enumerate(_STAGES):
        for position in range(repeats[number]):
            values = _block(
                values,
                f"block{number + 1}{ascii_lowercase[position]}_",
                filters=_multiple_of_8(width * filters),
                kernel=kernel,
                strides=stride if position == 0 else 1,
                expansion=expansion,
                drop_rate=_DROP_RATE * done / sum(repeats),
            )
            done += 1
    values = _convolution(values, "top", _HEAD_FILTERS, 1)
    return keras.Model(image, values, name=name)


def set_checkpoint_weights(network: Any, tensors: Mapping[str, np.ndarray]) -> None:
    """Give an EfficientNet-Lite the weights of a PyTorch checkpoint.

    Args:
        network: without its classifier.
        tensors: of the checkpoint, by name, in the order of the layers.

    Raises:
        ValueError: they are those of another network.
    """
    layers: dict[str, list[np.ndarray]] = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if kind != "num_batches_tracked":  # only PyTorch's momentum uses it
            layers.setdefault(layer, []).append(tensor)
    layers.pop("_fc", None)  # the classifier
    targets = [layer for layer in network.layers if layer.weights]
    if len(layers) != len(targets):
        raise ValueError(f"it has {len(layers)} layers with weights, the network {len(targets)}")
    for target, arrays in zip(targets, layers.values(), strict=True):
        target.set_weights([_keras_layout(array, target) for array in arrays])


def _keras_layout(array: np.ndarray, layer: Any) -> np.ndarray:
    """Return an array of weights in Keras's order of axes."""
    if array.ndim != 4:
        return array  # scale, shift, mean and variance come in the same order in both
    # PyTorch's kernels are (filters, channels, height, width); a depthwise one has one channel.
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return array.transpose(2, 3, 0, 1) if depthwise else array.transpose(2, 3, 1, 0)


def _block(
    inputs: Any,
    prefix: str,
    *,
    filters: int,
    kernel: int,
    strides: int,
    expansion: int,
    drop_rate: float,
) -> Any:
    """Return the output of an inverted residual block (Sandler et al. 2018, arXiv:1801.04381)."""
    values, channels = inputs, inputs.shape[-1]
    if expansion != 1:
        values = _convolution(values, f"{prefix}expand", expansion * channels, 1)
    values = keras.layers.DepthwiseConv2D(
        kernel, strides, padding="same", use_bias=False, name=f"{prefix}dwconv"
    )(values)
    values = keras.layers.BatchNormalization(**_BATCH_NORM, name=f"{prefix}bn")(values)
    values = keras.layers.ReLU(6, name=f"{prefix}activation")(values)
    values = _convolution(values, f"{prefix}project", filters, 1, activation=False)
    if strides != 1 or channels != filters:
        return values
    if drop_rate:
        # One draw for each image: the whole block is dropped.
        drop = keras.layers.Dropout(drop_rate, (None, 1, 1, 1), name=f"{prefix}drop")
        values = drop(values)
    return keras.layers.Add(name=f"{prefix}add")([values, inputs])


def _convolution(
    values: Any, name: str, filters: int, kernel: int, *, strides: int = 1, activation: bool = True
) -> Any:
    """Return the output of a convolution with batch normalisation, and of ReLU6 if wanted."""
    convolution = keras.layers.Conv2D(
        filters, kernel, strides, padding="same", use_bias=False, name=f"{name}_conv"
    )
    values = keras.layers.BatchNormalization(**_BATCH_NORM, name=f"{name}_bn")(convolution(values))
    return keras.layers.ReLU(6, name=f"{name}_activation")(values) if activation else values


def _multiple_of_8(filters: float) -> int:
    """Return the nearest multiple of 8 that is at least 0.9 of the number."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * filters else nearest + 8
