"""A `.keras` file enters; the nodes of its layers leave, without Keras.

A `.keras` file is a ZIP whose config.json names every layer, its arguments and what it takes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnkit.arithmetic.effects import Shape
from cnnkit.arithmetic.graph import IMAGE, Node

_MODELS = ("Functional", "Sequential", "Model")
_SHOWN = (
    "filters",
    "units",
    "kernel_size",
    "pool_size",
    "strides",
    "padding",
    "rate",
    "activation",
)
_SILENT = {"padding": "valid", "activation": "linear"}  # defaults that the detail leaves out
_OPERATIONS = "keras.src.ops"  # module of functions such as keras.ops.pad in a model: no weights
_MULTIPLYING = ("Matmul", "Einsum", "Dot", "Tensordot", "Conv", "Inner", "Outer")


class KerasFileError(Exception):
    """The file is no `.keras` file, or holds a model that is no graph of layers."""


def read_keras_file(path: Path) -> tuple[Shape, list[Node]]:
    """Return the shape of one image and the nodes of a model.

    Raises:
        KerasFileError: says what is wrong with the file, without its name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            model = json.loads(archive.read("config.json"))
    except OSError as error:
        raise KerasFileError(f"it cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise KerasFileError("it is not a .keras file, or damaged") from None
    try:
        return _nodes_of_model(model)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise KerasFileError(f"its config.json is not as Keras 3 writes it ({error!r})") from None


def _nodes_of_model(model: Mapping[str, Any]) -> tuple[Shape, list[Node]]:
    if model["class_name"] not in _MODELS or "layers" not in model["config"]:
        raise KerasFileError(
            f"its model is a {model['class_name']}, whose layers only its own code knows"
        )
    inputs = [part for part in model["config"]["layers"] if part["class_name"] == "InputLayer"]
    if len(inputs) != 1:
        raise KerasFileError(f"its model takes {len(inputs)} inputs; one image is expected")
    config = inputs[0]["config"]
    shape = tuple((config.get("batch_shape") or config["batch_input_shape"])[1:])
    if None in shape:
        raise KerasFileError(f"its model takes images of any size, {list(shape)}")
    nodes: list[Node] = []
    _lay_out(model["config"], IMAGE, (), nodes)
    return shape, nodes


def _lay_out(
    config: Mapping[str, Any], start: int, prefix: tuple[int | str, ...], nodes: list[Node]
) -> int:
    """Append the nodes of a model, which may be a layer of another, and return its last one."""
    positions: dict[str, int] = {}
    shapes = _shapes_of(config["layers"])
    end = start
    for index, layer in enumerate(config["layers"]):
        name = layer["config"].get("name") or layer.get("name")
        taken = [positions[tensor[0]] for tensor in _tensors(layer.get("inbound_nodes") or [])]
        entering = tuple(taken) or (end,)
        if layer["class_name"] == "InputLayer":
            positions[name] = start
            continue
        if layer["class_name"] in _MODELS:
            end = _lay_out(layer["config"], entering[0], (*prefix, index), nodes)
        else:
            nodes.append(_node(layer, name, (*prefix, index), entering, shapes.get(name)))
            end = len(nodes) - 1
        positions[name] = end
    outputs = config.get("output_layers")
    if outputs:
        first = outputs if isinstance(outputs[0], str) else outputs[0]
        end = positions[first[0]]
    return end


def _node(
    layer: Mapping[str, Any],
    name: str,
    path: tuple[int | str, ...],
    inputs: tuple[int, ...],
    shape: Shape | None,
) -> Node:
    config, kind = dict(layer["config"]), layer["class_name"]
    operation = str(layer.get("module", "")).startswith(_OPERATIONS)
    if operation:
        kind = f"{kind} operation"
    elif config.get("data_format") == "channels_first":
        kind = f"{kind} (channels_first)"
    elif kind == "Concatenate" and config.get("axis", -1) not in (-1, len(shape or ()) or -1):
        kind = f"{kind} (axis {config['axis']})"
    shown = {k: config[k] for k in _SHOWN if config.get(k) not in (None, _SILENT.get(k))}
    shown = {k: v for k, v in shown.items() if isinstance(v, str | int | float | list)}
    free = operation and not kind.startswith(_MULTIPLYING)
    return Node(path, name, kind, inputs, shown, config, shape, weightless=free)


def _shapes_of(layers: Sequence[Mapping[str, Any]]) -> dict[str, Shape]:
    """Return the shape that each layer gives, where another one takes it."""
    return {
        name: tuple(shape[1:])
        for layer in layers
        for name, shape in _tensors(layer.get("inbound_nodes") or [])
        if None not in shape[1:]
    }


def _tensors(value: Any) -> Iterator[tuple[str, list[int | None]]]:
    """Yield (layer, shape) of each tensor that a layer is called with."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        yield value["config"]["keras_history"][0], value["config"]["shape"]
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
