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
    return _apply(layers, tensor, "model.layers", _Names())


def _apply(layers: Sequence[Call], tensor: Any, where: str, names: _Names) -> Any:
    for index, call in enumerate(layers):
        path = f"{where}[{index}]"
        if call.keras_name is None:
            tensor = _apply_residual(call, tensor, f"{path}.{call.name}", names)
        else:
            tensor = _apply_one(call, tensor, path, names)
    return tensor


def _apply_one(call: Call, tensor: Any, path: str, names: _Names) -> Any:
    arguments = {"name": names.next(call.name), **call.keras_arguments}
    names.claim(arguments["name"], f"{path} ({call.name})")
    try:
        return getattr(keras.layers, call.keras_name)(**arguments)(tensor)
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} ({call.name}): Keras refuses this layer: {reason}") from error


def _apply_residual(call: Call, tensor: Any, path: str, names: _Names) -> Any:
    name = names.next(call.name)
    inside = _apply(call.arguments["layers"], tensor, path, names)
    projection = shortcut(tuple(tensor.shape[1:]), tuple(inside.shape[1:]))
    if projection:
        filters, strides = projection
        tensor = keras.layers.Conv2D(
            filters, 1, strides=strides, padding="same", name=f"{name}_shortcut"
        )(tensor)
    return keras.layers.Add(name=f"{name}_add")([tensor, inside])


class _Names:
    """Gives each layer its name, and lets none have a name twice."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._taken = {"image", "rescaling", "probabilities"}

    def next(self, kind: str) -> str:
        kind = kind.lower()
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"

    def claim(self, name: str, where: str) -> None:
        if name in self._taken:
            raise UsageError(f"{where}: another layer has the name {name}. Give it its own name.")
        self._taken.add(name)
