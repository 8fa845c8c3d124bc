"""Calls of `model.layers` enter; Keras layers, applied to a tensor, leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnnkit.arithmetic import (
    IMAGE,
    SHORTCUT,
    LayerNames,
    Node,
    StackError,
    borders,
    nodes_of,
    projection,
    spread,
    squeezed_units,
)
from cnnkit.backend import keras, tf
from cnnkit.config import Call
from cnnkit.errors import UsageError, dotted

PartName = Callable[[str], str]  # "add" -> "residual_1_add"

_SAFE_CHANNELS = 16
_SHORT_KINDS = {"Add": "add", "Concatenate": "concatenate"}


def apply_layers(layers: Sequence[Call], tensor: Any, key: str = "layers") -> Any:
    """Return the Keras tensor behind the stack. Layers are named by kind and count: conv_1, conv_2.

    Args:
        layers: calls of `model.layers` or `model.head`.
        tensor: what enters.
        key: which of the two, for messages.

    Raises:
        UsageError: Keras refuses a layer; the text names it and gives Keras's reason. Or two
            layers have one name.
    """
    names = LayerNames()
    tensors: list[Any] = []
    for node in nodes_of(layers):
        entering = [tensor if position == IMAGE else tensors[position] for position in node.inputs]
        try:
            tensors.append(_apply(node, entering, names))
        except StackError as error:
            raise UsageError(f"{dotted(('model', key, *error.path))}: {error}") from None
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            reason = str(error).splitlines()[0]
            where = dotted(("model", key, *node.path))
            text = f"{where} ({node.name}): Keras refuses this layer: {reason}"
            raise UsageError(text) from error
    return tensors[-1] if tensors else tensor


def _apply(node: Node, entering: list[Any], names: LayerNames) -> Any:
    first = entering[0]
    if node.kind == SHORTCUT:
        start, end = (tuple(tensor.shape[1:]) for tensor in entering)
        if start == end:
            return first
        node = projection(node, start, end)
    name = names.of(node)

    def part(word: str) -> str:
        return names.taken(f"{name}_{word}", node)

    if node.kind in _SHORT_KINDS:
        return _merge(node, entering, part)
    if node.kind == "SqueezeExcite":
        return _squeeze_excite(first, node.arguments["ratio"], part)
    if node.arguments.get("pad"):
        first = _padded(first, node.arguments["pad"], part)
    given = node.given
    if _crashes(node, first):
        strides = given["strides"]
        first = keras.layers.MaxPooling2D(1, strides=strides, name=part("sampled"))(first)
        given = {**given, "strides": 1}
    return getattr(keras.layers, node.kind)(**{"name": name, **given})(first)


def _crashes(node: Node, tensor: Any) -> bool:
    """Tell whether TensorFlow may write over foreign memory in training this layer.

    On a CPU, the gradient of a 1 x 1 convolution with strides crashes the process for fewer than
    16 channels and an odd number of images (seen with TensorFlow 2.19 and 2.21, oneDNN). Taking
    every second pixel first, and convolving without strides, is the same.
    """
    if node.kind != "Conv2D" or tensor.shape[-1] >= _SAFE_CHANNELS:
        return False
    window, strides = (spread(node.given.get(key, 1), 2) for key in ("kernel_size", "strides"))
    return set(window) == {1} and set(strides) != {1}


def _merge(node: Node, entering: list[Any], part: PartName) -> Any:
    merged = getattr(keras.layers, node.kind)(name=part(_SHORT_KINDS[node.kind]))(entering)
    activation = node.arguments.get("activation")
    if activation is None:
        return merged
    return keras.layers.Activation(activation, name=part(activation))(merged)


def _squeeze_excite(tensor: Any, ratio: int, part: PartName) -> Any:
    """Scale each channel by a number in (0, 1) that depends on the means of all channels.

    Source: Hu, Shen & Sun 2018, "Squeeze-and-Excitation Networks", arXiv:1709.01507.
    """
    channels = tensor.shape[-1]
    means = keras.layers.GlobalAveragePooling2D(keepdims=True, name=part("squeeze"))(tensor)
    few = squeezed_units(channels, ratio)
    means = keras.layers.Dense(few, activation="relu", name=part("reduce"))(means)
    scale = keras.layers.Dense(channels, activation="sigmoid", name=part("excite"))(means)
    return keras.layers.Multiply(name=part("scale"))([tensor, scale])


def _padded(tensor: Any, pad: dict[str, Any], part: PartName) -> Any:
    """Return the map with a border of zeros, of its own edge, or mirrored at the edge."""
    sides = borders(pad["size"], 2)
    if pad["mode"] == "zeros":
        return keras.layers.ZeroPadding2D(sides, name=part("pad"))(tensor)
    if pad["mode"] == "reflect":
        return _padded_by(tensor, sides, "reflect")
    while any(map(any, sides)):  # mirrored with the edge, one position is the edge again
        once = [[min(1, side) for side in pair] for pair in sides]
        tensor = _padded_by(tensor, once, "symmetric")
        sides = [[max(0, side - 1) for side in pair] for pair in sides]
    return tensor


def _padded_by(tensor: Any, sides: Sequence[Sequence[int]], mode: str) -> Any:
    return keras.ops.pad(tensor, [[0, 0], *map(list, sides), [0, 0]], mode=mode)
