"""Build a network that a config names: one of `keras.applications`, or an EfficientNet-Lite.

The backbone is one flat model: the layers of the network's own preprocessing, then the layers of
the network. So each of them can be named, frozen, or taken as the last one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from cnnkit.backbone_networks import NETWORKS, SCALES, NetworkRow
from cnnkit.backend import keras
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.model.backbones.efficientnet_lite import efficientnet_lite
from cnnkit.model.backbones.package_weights import load_checkpoint, package_weights
from cnnkit.model.backbones.weights_files import existing_weights, imagenet_weights, load_weights
from cnnkit.text import shown


def named_backbone(
    name: str,
    image_size: tuple[int, int],
    channels: int,
    *,
    weights: str | None,
    arguments: Mapping[str, Any],
    layer: str | None = None,
) -> Any:
    """Return a network without its classifier.

    Args:
        name: a key of NETWORKS.
        image_size: (height, width) in pixels.
        channels: 3, or 1 for grey images, which the network sees as equal red, green and blue.
        weights: `imagenet`, the path of an `.h5` file (of EfficientNet-Lite also of a `.pth` file),
            or None for random weights.
        arguments: of the network; `BackboneConfig.problems` has checked them.
        layer: the layer whose output is the features; None for the last one before the classifier.

    Raises:
        UsageError: an argument, the images or the weights do not fit the network; the text says
            what is allowed.
        CnnkitError: the ImageNet weights cannot be downloaded, or their package is not installed.
    """
    row = NETWORKS[name]
    file = None
    if weights == "imagenet" and row.package:
        file = package_weights(row)
    elif weights == "imagenet":
        file = imagenet_weights(row, arguments, image_size)
    elif weights is not None:
        file = existing_weights(weights, row)
    image = keras.Input((*image_size, channels), dtype="uint8", name="image")
    network = _network(row, image, **arguments)
    if file is not None and file.suffix == ".pth":
        load_checkpoint(network, file, row)
    elif file is not None:
        load_weights(network, file, row, arguments, lambda **others: _network(row, image, **others))
    return keras.Model(image, _output(network, row, layer), name="backbone")


def preprocessed(image: Any, preprocessing: str) -> Any:
    """Return the input of a network for uint8 pixels, as `keras.applications` computes it.

    Args:
        image: uint8 tensor (batch, height, width, 1 or 3).
        preprocessing: `tf`, `torch`, `caffe`, `lite` or `none`.

    Source: `preprocess_input` of keras.applications.imagenet_utils; for `lite`, the (x - 127) / 128
        of EfficientNet-Lite. Here it is layers of Keras, so that a saved model contains it and
        loads without cnnkit.
    """
    if image.shape[-1] == 1:
        image = keras.layers.Concatenate(name="three_channels")([image] * 3)
    if preprocessing == "none":
        return image
    scale, offset = SCALES[preprocessing]
    values = keras.layers.Rescaling(scale, offset, name="preprocessing")(image)
    # The networks that were ported from Caffe take blue, green, red.
    return keras.ops.flip(values, axis=-1) if preprocessing == "caffe" else values


def _network(row: NetworkRow, image: Any, **arguments: Any) -> Any:
    """Return the untrained network with its preprocessing in front."""
    values = preprocessed(image, row.preprocessing)
    if row.package:
        return efficientnet_lite(row.name, image, values)
    builder = getattr(keras.applications, row.name)
    try:
        network = builder(
            include_top=False,
            weights=None,
            input_tensor=values,
            input_shape=(*image.shape[1:3], 3),  # else Keras assumes the size of ImageNet
            **arguments,
        )
    except ValueError as error:
        raise UsageError(f"model.backbone: Keras refuses {row.name}: {error}") from error
    _number_from_zero(network)
    return network


def _number_from_zero(network: Any) -> None:
    """Rename the layers that Keras has numbered, so that they start from zero as in a new process.

    Some networks leave the names of their layers to Keras, which counts all layers of the process:
    `conv2d_3` of the first network would be `conv2d_97` of the second one. Names in a config must
    not depend on that.
    """
    numbered = defaultdict(list)
    for layer in network.layers:
        stem, number = re.fullmatch(r"(.+?)(?:_(\d+))?", layer.name).groups()
        # A name that Keras made is the layer's class and a number: `conv2d_3` of Conv2D.
        if stem.replace("_", "") == type(layer).__name__.lower():
            numbered[stem].append((int(number or 0), layer))
    for stem, layers in numbered.items():
        first = min(number for number, _ in layers)
        for number, layer in layers:
            layer.name = f"{stem}_{number - first}" if number > first else stem


def _output(network: Any, row: NetworkRow, layer: str | None) -> Any:
    if layer is None:
        return network.outputs[0]
    names = [part.name for part in network.layers[1:]]  # the first one is the input
    if layer not in names:
        raise UsageError(
            f"model.backbone.layer: {row.name} has no layer {shown(layer)}."
            f"{did_you_mean(layer, names)} Its last ten layers: {', '.join(names[-10:])}."
        )
    return network.get_layer(layer).output
