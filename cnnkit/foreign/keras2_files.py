"""Rebuild a model of Keras 2 from its `.h5` file, if Keras 3 cannot load it.

Keras 3 fails at arguments that it no longer has (`groups` of DepthwiseConv2D) and at models inside
models, such as those of Teachable Machine. The layers themselves are the same, so the graph in the
file is built again from layers of Keras 3, and each gets the weights that are stored by its name.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnkit.backend import keras
from cnnkit.errors import UsageError
from cnnkit.model.loading import load_keras_model, naming_damage
from cnnkit.text import shown

_MODELS = ("Functional", "Model", "Sequential")
_GONE = {"DepthwiseConv2D": ("groups",), "SeparableConv2D": ("groups",)}
_CODE = {
    "Lambda": "a Lambda layer, which is Python code inside the file",
    "TFOpLambda": "an operation of TensorFlow between its layers (TFOpLambda)",
    "SlicingOpLambda": "an operation of TensorFlow between its layers (SlicingOpLambda)",
}


def load_h5(path: Path) -> Any:
    """Return the `keras.Model` of an `.h5` file, of Keras 3 or of Keras 2.

    Raises:
        UsageError: it has only weights, or parts that Keras 3 lacks; the text says which.
    """
    try:
        return load_keras_model(path)
    except UsageError:
        if not path.is_file():
            raise
    with naming_damage(path):
        return _rebuilt(path)


def _rebuilt(path: Path) -> Any:
    import h5py

    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise UsageError(
                f"{path} has only weights, or is not a file of Keras. Save the whole model: "
                "model.save(...)."
            )
        config = json.loads(file.attrs["model_config"])
        graph = _Graph(path)
        graph.check(config)
        image = keras.Input(_input_shape(path, config), name="image")
        model = keras.Model(image, graph.output(config, image))
        weights = file["model_weights"]
        for top, layers in graph.layers.items():
            # The name of the outermost layer is that of the group; models inside it are flat.
            arrays = _arrays_by_layer(weights[top]) if top in weights else {}
            for name, layer in layers.items():
                layer.set_weights(arrays.get(name, []))
    return model


def _arrays_by_layer(group: Any) -> dict[str, list[Any]]:
    """Return the arrays of each layer, from names such as `block_1/conv/kernel:0`."""
    found = defaultdict(list)
    for name in group.attrs["weight_names"]:
        name = name.decode() if isinstance(name, bytes) else name
        found[name.split("/")[-2]].append(group[name][()])
    return found


def _input_shape(path: Path, config: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Return the shape of an image; in old files it is an argument of the first layer."""
    layers = _layers(config)
    for layer in layers:
        inner = layer["config"]
        if layer["class_name"] in _MODELS:
            return _input_shape(path, layer)
        if shape := inner.get("batch_input_shape") or inner.get("batch_shape"):
            return tuple(shape[1:])
    raise UsageError(f"{path} cannot be rebuilt for Keras 3: it does not say what it takes.")


def _layers(config: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    inner = config["config"]
    return inner if isinstance(inner, list) else inner["layers"]  # a list until Keras 2.2.3


class _Graph:
    """Layers of Keras 3 for the layers of a Keras 2 model, each applied where the old one was.

    Args:
        path: of the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # By the outermost layer that they are in, and by their own name.
        self.layers: dict[str, dict[str, Any]] = defaultdict(dict)

    def check(self, config: Mapping[str, Any]) -> None:
        """Refuse a model with parts that cannot be rebuilt, before anything is built."""
        for layer in _layers(config):
            kind = layer["class_name"]
            if kind in _MODELS:
                self.check(layer)
            elif kind in _CODE or not hasattr(keras.layers, kind):
                raise self._refused(_CODE.get(kind, f"a layer {shown(kind)}, which Keras 3 lacks"))
            elif any(set(more) - {"training", "mask"} for *_, more in _uses(layer)):
                raise self._refused(f"a layer {shown(layer['config']['name'])} with arguments")

    def output(self, config: Mapping[str, Any], tensor: Any, top: str | None = None) -> Any:
        """Return the output of a model for a tensor; `top` is the outermost layer that it is in."""
        if config["class_name"] == "Sequential":
            for layer in _layers(config):
                tensor = self._applied(layer, [tensor], top)
            return tensor
        return self._functional(config["config"], tensor, top)

    def _functional(self, config: Mapping[str, Any], tensor: Any, top: str | None) -> Any:
        if len(config["input_layers"]) != 1 or len(config["output_layers"]) != 1:
            raise self._refused("several inputs or outputs")
        # The tensors of each layer by name, one for each time that the layer is used.
        tensors: dict[str, list[Any]] = defaultdict(list)
        tensors[config["input_layers"][0][0]].append(tensor)
        waiting = [
            (layer, number, call)
            for layer in config["layers"]
            for number, call in enumerate(layer["inbound_nodes"])  # an input has none
        ]
        while waiting:
            ready = [
                (layer, number, call)
                for layer, number, call in waiting
                if len(tensors[layer["config"]["name"]]) == number
                and all(len(tensors[name]) > node for name, node, *_ in call)
            ]
            if not ready:
                raise self._refused("layers that take each other's outputs")
            for layer, _, call in ready:
                inputs = [tensors[name][node] for name, node, *_ in call]
                tensors[layer["config"]["name"]].append(self._applied(layer, inputs, top))
            waiting = [each for each in waiting if each not in ready]
        name, node, _ = config["output_layers"][0]
        return tensors[name][node]

    def _applied(self, layer: Mapping[str, Any], inputs: list[Any], top: str | None) -> Any:
        kind, name = layer["class_name"], layer["config"]["name"]
        top = top or name
        if kind in _MODELS:
            return self.output(layer, inputs[0], top)
        if kind == "InputLayer":
            return inputs[0]
        if name not in self.layers[top]:
            self.layers[top][name] = self._layer(kind, dict(layer["config"]))
        return self.layers[top][name](inputs[0] if len(inputs) == 1 else inputs)

    def _layer(self, kind: str, config: dict[str, Any]) -> Any:
        for key in ("batch_input_shape", *_GONE.get(kind, ())):
            config.pop(key, None)
        if isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
            config["axis"] = config["axis"][0]  # of BatchNormalization
        return getattr(keras.layers, kind).from_config(config)

    def _refused(self, what: str) -> UsageError:
        return UsageError(
            f"{self._path} is a model of Keras 2 that Keras 3 cannot load, and it cannot be "
            f"rebuilt, because it has {what}. Load it with the version of TensorFlow that saved "
            "it (at most 2.15), save it with tf.saved_model.save(model, FOLDER), and give that "
            "folder."
        )


def _uses(layer: Mapping[str, Any]) -> list[list[Any]]:
    """Return all inputs of a layer, [name, node, tensor, arguments], also if it is used twice."""
    return [tensor for call in layer.get("inbound_nodes", []) for tensor in call]
