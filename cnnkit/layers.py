"""Calls of `model.layers` enter; Keras layers, applied to a tensor, leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cnnkit.arithmetic import shortcut
from cnnkit.backend import keras
from cnnkit.config import Call
from cnnkit.errors import UsageError


def apply_layers(layers: Sequence[Call], tensor: Any) -> Any:
    """Return the Keras tensor behind the stack. Layers are named by kind and count: conv_1, conv_2.

    Raises:
        UsageError: Keras refuses a layer; the text names it and gives Keras's reason.
    """
    return _apply(layers, tensor, "model.layers", Counter())


def _apply(layers: Sequence[Call], tensor: Any, where: str, counts: Counter[str]) -> Any:
    for index, call in enumerate(layers):
        path = f"{where}[{index}]"
        if call.keras_name is None:
            tensor = _apply_residual(call, tensor, f"{path}.{call.name}", counts)
        else:
            tensor = _apply_one(call, tensor, path, counts)
    return tensor


def _apply_one(call: Call, tensor: Any, path: str, counts: Counter[str]) -> Any:
    arguments = {"name": _next_name(call.name, counts), **call.keras_arguments}
    try:
        return getattr(keras.layers, call.keras_name)(**arguments)(tensor)
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} ({call.name}): Keras refuses this layer: {reason}") from error


def _apply_residual(call: Call, tensor: Any, path: str, counts: Counter[str]) -> Any:
    name = _next_name(call.name, counts)
    inside = _apply(call.arguments["layers"], tensor, path, counts)
    projection = shortcut(tuple(tensor.shape[1:]), tuple(inside.shape[1:]))
    if projection:
        filters, strides = projection
        tensor = keras.layers.Conv2D(
            filters, 1, strides=strides, padding="same", name=f"{name}_shortcut"
        )(tensor)
    return keras.layers.Add(name=f"{name}_add")([tensor, inside])


def _next_name(kind: str, counts: Counter[str]) -> str:
    kind = kind.lower()
    counts[kind] += 1
    return f"{kind}_{counts[kind]}"
