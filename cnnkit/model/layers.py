"""Apply the calls of `model.layers` or `model.head` to a tensor as Keras layers."""

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
    squeezed_units,
)
from cnnkit.backend import keras, tf
from cnnkit.config import Call
from cnnkit.errors import UsageError, dotted
from cnnkit.model.safe_strides import needs_sampling

PartName = Callable[[str], str]  # "add" -> "residual_1_add"

_SHORT_KINDS = {"Add": "add", "Concatenate": "concatenate"}


def apply_layers(layers: Sequence[Call], tensor: Any, key: str = "layers") -> Any:
    """Return the output tensor of a stack. Layers are named by kind and count: conv_1, conv_2.

    Args:
        layers: calls of `model.layers` or `model.head`.
        tensor: the input of the first layer.
        key: `layers` or `head`, for messages.

    Raises:
        UsageError: Keras refuses a layer (the text names the layer and has Keras's reason), or two
            layers have the same name.
    """
    names = LayerNames()
    tensors: list[Any] = []
    for node in nodes_of(layers):
        inputs = [tensor if position == IMAGE else tensors[position] for position in node.inputs]
        try:
            tensors.append(_apply(node, inputs, names))
        except StackError as error:
            raise UsageError(f"{dotted(('model', key, *error.path))}: {error}") from None
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            reason = str(error).splitlines()[0]  # Keras lists the arguments of its call below
            where = dotted(("model", key, *node.path))
            text = f"{where} ({node.name}): Keras refuses this layer: {reason}"
            raise UsageError(text) from error
    return tensors[-1] if tensors else tensor


def _apply(node: Node, inputs: list[Any], names: LayerNames) -> Any:
    first = inputs[0]
    if node.kind == SHORTCUT:
        start, end = (tuple(tensor.shape[1:]) for tensor in inputs)
        if start == end:
            return first
        node = projection(node, start, end)
    name = names.of(node)

    def part(word: str) -> str:
        return names.taken(f"{name}_{word}", node)

    if node.kind in _SHORT_KINDS:
        return _merge(node, inputs, part)
    if node.kind == "SqueezeExcite":
        return _squeeze_excite(first, node.arguments["ratio"], part)
    if node.arguments.get("pad"):
        first = _padded(first, node.arguments["pad"], part)
    given = node.given
    if needs_sampling(node.kind, given, first.shape[-1]):
        # Max pooling with a window of 1 keeps every second (third, ...) pixel unchanged.
        strides = given["strides"]
        first = keras.layers.MaxPooling2D(1, strides=strides, name=part("sampled"))(first)
        given = {**given, "strides": 1}
    return getattr(keras.layers, node.kind)(**{"name": name, **given})(first)


def _merge(node: Node, inputs: list[Any], part: PartName) -> Any:
    merged = getattr(keras.layers, node.kind)(name=part(_SHORT_KINDS[node.kind]))(inputs)
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
    """Return the map with a border: zeros, copies of its edge, or its mirror image."""
    sides = borders(pad["size"], 2)
    if pad["mode"] == "zeros":
        return keras.layers.ZeroPadding2D(sides, name=part("pad"))(tensor)
    if pad["mode"] == "reflect":
        return _padded_by(tensor, sides, "reflect")
    # Keras cannot copy the edge, but "symmetric" mirrors with the edge included: a border of one
    # position is a copy of the edge. So a border of n positions is added in n rounds.
    while any(map(any, sides)):
        once = [[min(1, side) for side in pair] for pair in sides]
        tensor = _padded_by(tensor, once, "symmetric")
        sides = [[max(0, side - 1) for side in pair] for pair in sides]
    return tensor


def _padded_by(tensor: Any, sides: Sequence[Sequence[int]], mode: str) -> Any:
    return keras.ops.pad(tensor, [[0, 0], *map(list, sides), [0, 0]], mode=mode)
