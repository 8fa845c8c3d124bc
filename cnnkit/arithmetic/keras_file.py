"""Read the layers of a `.keras` file without Keras.

A `.keras` file is a ZIP whose config.json has every layer, its arguments, and the inputs of each of
its calls.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnkit.arithmetic.layer_effect import Shape
from cnnkit.arithmetic.layer_row import LayerRow
from cnnkit.arithmetic.nodes import IMAGE, Node
from cnnkit.arithmetic.stack import walk_nodes
from cnnkit.errors import damage_as_value_error

Tensor = tuple[str, int]  # the name of a layer, and the number of its call

_FUNCTIONAL = ("Functional", "Model")
_MODELS = (*_FUNCTIONAL, "Sequential")
_SHOWN = (
    "filters",
    "units",
    "kernel_size",
    "pool_size",
    "strides",
    "padding",
    "dilation_rate",
    "groups",
    "depth_multiplier",
    "rate",
    "mode",
    "activation",
)
_SILENT = {  # default values that the detail does not show
    "padding": ("valid",),
    "dilation_rate": (1, [1], [1, 1], [1, 1, 1]),
    "groups": (1,),
    "depth_multiplier": (1,),
    "activation": ("linear",),
}
_OPERATIONS = "keras.src.ops"  # module of functions such as keras.ops.pad, which have no weights
_MULTIPLYING = ("Matmul", "Einsum", "Dot", "Tensordot", "Conv", "Inner", "Outer")


class KerasFileError(Exception):
    """The file is not a `.keras` file, or its model is not a graph of layers."""


@dataclass(frozen=True)
class _Use:
    """One use of a model; a model that is a layer of another one may be used several times.

    Args:
        entering: positions of the nodes whose outputs it takes.
        prefix: the beginning of the paths of its layers.
        trained: whether its layers may be trained.
        shared: whether it was used before, so that its weights are already counted.
    """

    entering: tuple[int, ...]
    prefix: tuple[int, ...] = ()
    trained: bool = True
    shared: bool = False


@dataclass(frozen=True)
class _LayerCall:
    """One call of a layer.

    Args:
        layer: the layer as config.json describes it.
        index: index of the layer in its model.
        number: number of the call among those of this layer.
        takes: its input tensors.
    """

    layer: Mapping[str, Any]
    index: int
    number: int
    takes: tuple[Tensor, ...]

    @property
    def gives(self) -> Tensor:
        """Its output tensor."""
        return _name(self.layer), self.number


def read_keras_file(path: Path) -> tuple[Shape, list[LayerRow]]:
    """Return the shape of one image and one row for each call of a layer of a model.

    Raises:
        KerasFileError: the file is wrong; the message does not name it.
        StackError: a layer cannot take the map that reaches it.
    """
    try:
        with damage_as_value_error(), zipfile.ZipFile(path) as archive:
            model = json.loads(archive.read("config.json"))
    except OSError as error:
        raise KerasFileError(f"it cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise KerasFileError("it is not a .keras file, or it is damaged") from None
    return rows_of_keras_model(model)


def rows_of_keras_model(model: Mapping[str, Any]) -> tuple[Shape, list[LayerRow]]:
    """Return the same as `read_keras_file` for a model as Keras describes it in JSON.

    Raises:
        KerasFileError: as `read_keras_file`.
        StackError: as `read_keras_file`.
    """
    try:
        shape, nodes = _nodes_of_model(model)
        return shape, walk_nodes(nodes, shape)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise KerasFileError(f"its config.json was not written by Keras 3 ({error!r})") from None


def _nodes_of_model(model: Mapping[str, Any]) -> tuple[Shape, list[Node]]:
    if model["class_name"] not in _MODELS or "layers" not in model["config"]:
        raise KerasFileError(
            f"its model is a {model['class_name']}, whose layers are known to its own code only"
        )
    inputs = [part for part in model["config"]["layers"] if part["class_name"] == "InputLayer"]
    if len(inputs) != 1:
        raise KerasFileError(f"its model takes {len(inputs)} inputs instead of one image")
    config = inputs[0]["config"]
    shape = tuple((config.get("batch_shape") or config["batch_input_shape"])[1:])
    if None in shape:
        raise KerasFileError(f"its model has no fixed image size, but {list(shape)}")
    nodes: list[Node] = []
    _lay_out(model["config"], _Use((IMAGE,)), nodes)
    if not nodes:
        raise KerasFileError("its model has no layers")
    return shape, nodes


def _lay_out(config: Mapping[str, Any], use: _Use, nodes: list[Node]) -> int:
    """Append the nodes of a model and return the position of its last one.

    The model may be a layer of another one.
    """
    layers = config["layers"]
    use = replace(use, trained=use.trained and config.get("trainable", True))
    shapes, end = _shapes_of(layers), use.entering[0]
    positions = dict(zip(_inputs_of(config), use.entering, strict=False))
    for call in _in_order(_calls_of(layers), set(positions)):
        # The first layer of a sequential model may have no input written down.
        taken = tuple(positions[tensor] for tensor in call.takes) or (end,)
        end = _append(call, replace(use, entering=taken), shapes.get(call.gives), nodes)
        positions[call.gives] = end
    outputs = list(_references(config.get("output_layers") or []))
    if not outputs:
        return end
    name, number = outputs[0]
    kinds = {_name(layer): layer["class_name"] for layer in layers}
    # Keras counts the calls of a functional model from 1 here: its own graph is the first.
    return positions[name, number - (kinds[name] in _FUNCTIONAL)]


def _append(call: _LayerCall, use: _Use, shape: Shape | None, nodes: list[Node]) -> int:
    use = replace(use, prefix=(*use.prefix, call.index), shared=use.shared or call.number > 0)
    if call.layer["class_name"] in _MODELS:
        return _lay_out(call.layer["config"], use, nodes)
    nodes.append(_node(call.layer, use, shape))
    return len(nodes) - 1


def _name(layer: Mapping[str, Any]) -> str:
    name: str = layer["config"].get("name") or layer.get("name", "")
    return name


def _inputs_of(config: Mapping[str, Any]) -> list[Tensor]:
    """Return the input tensors of a model, in the order in which it is called with them."""
    names = [_name(layer) for layer in config["layers"] if layer["class_name"] == "InputLayer"]
    return list(_references(config.get("input_layers") or [])) or [(name, 0) for name in names]


def _calls_of(layers: Sequence[Mapping[str, Any]]) -> Iterator[_LayerCall]:
    """Yield the calls of all layers.

    In a sequential model, each layer takes the output of the one before it.
    """
    before: tuple[Tensor, ...] = ()
    for index, layer in enumerate(layers):
        calls = layer.get("inbound_nodes") or [None]
        for number, call in enumerate(calls if layer["class_name"] != "InputLayer" else []):
            taken = tuple(tensor for tensor, _ in _tensors(call))
            yield _LayerCall(layer, index, number, taken or before)
        before = ((_name(layer), 0),)


def _in_order(calls: Iterable[_LayerCall], known: set[Tensor]) -> Iterator[_LayerCall]:
    """Yield each call after those whose outputs it takes, otherwise in the order of the file."""
    waiting = list(calls)
    while waiting:
        ready = next((i for i, call in enumerate(waiting) if known.issuperset(call.takes)), None)
        if ready is None:
            raise KerasFileError(f"an input of its layer {waiting[0].gives[0]} is missing")
        known.add(waiting[ready].gives)
        yield waiting.pop(ready)


def _node(layer: Mapping[str, Any], use: _Use, shape: Shape | None) -> Node:
    config, kind = dict(layer["config"]), layer["class_name"]
    operation = str(layer.get("module", "")).startswith(_OPERATIONS)
    border = _border(config) if operation and kind == "Pad" else None
    # The arithmetic of a kind is that of a layer over channels_last maps. Anything else gets a name
    # that the arithmetic does not know, so that its numbers are shown as unknown.
    if border:
        kind, config = f"Padding{len(border)}D", {**config, "padding": border}
    elif operation:
        kind = f"{kind} operation"
    elif config.get("data_format") == "channels_first":
        kind = f"{kind} (channels_first)"
    elif kind == "Concatenate" and config.get("axis", -1) not in (-1, len(shape or ()) or -1):
        kind = f"{kind} (axis {config['axis']})"
    shown = {k: config[k] for k in _SHOWN if config.get(k) not in (None, *_SILENT.get(k, ()))}
    shown = {k: v for k, v in shown.items() if isinstance(v, str | int | float | list)}
    return Node(
        use.prefix,
        _name(layer),
        kind,
        use.entering,
        shown,
        config,
        shape,
        weightless=operation and not kind.startswith(_MULTIPLYING),
        frozen=not (use.trained and config.get("trainable", True)),
        shared=use.shared,
    )


def _border(config: Mapping[str, Any]) -> list[Any] | None:
    """Return [before, after] for each spatial axis of keras.ops.pad; None if it pads others too."""
    first, *border, last = config["pad_width"]
    return border if [first, last] == [[0, 0], [0, 0]] and 1 <= len(border) <= 3 else None


def _shapes_of(layers: Sequence[Mapping[str, Any]]) -> dict[Tensor, Shape]:
    """Return the output shape of each call of a layer whose output another call takes."""
    found: dict[Tensor, Shape] = {}
    for layer in layers:
        for tensor, shape in _tensors(layer.get("inbound_nodes") or []):
            known = tuple(size for size in shape[1:] if size is not None)
            if len(known) == len(shape[1:]):
                found[tensor] = known
    return found


def _tensors(value: Any) -> Iterator[tuple[Tensor, list[int | None]]]:
    """Yield each input tensor of a layer's call, and its shape."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        name, number, _ = value["config"]["keras_history"]
        yield (name, number), value["config"]["shape"]
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _references(value: Any) -> Iterator[Tensor]:
    """Yield the tensors that config.json writes as [layer, call, tensor], alone or in lists."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        yield value[0], value[1]
        return
    for part in value.values() if isinstance(value, Mapping) else value:
        yield from _references(part)
