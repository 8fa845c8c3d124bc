"""The name of a network of `keras.applications` enters; it leaves as a backbone.

The network's own preprocessing lies in front of it, and its layers lie side by side with that in
one flat model, so that they can be named, cut and frozen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from cnnkit.backbones.table import BACKBONES, BackboneRow, backbone_named
from cnnkit.backbones.weights import existing_weights, imagenet_weights, load_weights
from cnnkit.backend import keras
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.names import shown

_MEANS = (0.485, 0.456, 0.406)  # of ImageNet's red, green and blue, over [0, 1]
_DEVIATIONS = (0.229, 0.224, 0.225)
_CAFFE_MEANS = (123.68, 116.779, 103.939)  # red, green, blue, over [0, 255]


def application_backbone(
    name: str,
    image_size: tuple[int, int],
    channels: int,
    *,
    weights: str | None,
    arguments: Mapping[str, Any],
    layer: str | None = None,
) -> Any:
    """Return a network of `keras.applications` without its classifier.

    Args:
        name: of its builder.
        image_size: (height, width) in pixels.
        channels: 3, or 1 for grey images, which the network sees as red, green and blue alike.
        weights: `imagenet`, None for random ones, or the path of an `.h5` file.
        arguments: of the network, as its row of the table names them.
        layer: whose output is the features; None for the last one before the classifier.

    Raises:
        UsageError: something does not fit the network; the text says what is allowed.
        CnnkitError: the ImageNet weights cannot be downloaded.
    """
    row = backbone_named(name)
    _check_size(row, image_size)
    _check_arguments(row, arguments, imagenet=weights == "imagenet")
    file = None
    if weights == "imagenet":
        file = imagenet_weights(row, arguments, image_size)
    elif weights is not None:
        file = existing_weights(weights)
    image = keras.Input((*image_size, channels), dtype="uint8", name="image")
    network = _network(row, image, **arguments)
    if file is not None:
        load_weights(network, file, row, arguments, lambda **others: _network(row, image, **others))
    return keras.Model(image, _output(network, row, layer), name="backbone")


def preprocessed(image: Any, preprocessing: str) -> Any:
    """Return what a network takes of uint8 pixels, as `keras.applications` computes it.

    Args:
        image: tensor of uint8 (batch, height, width, 1 or 3).
        preprocessing: `tf`, `torch`, `caffe` or `none`.

    Source: `preprocess_input` of keras.applications.imagenet_utils, in layers that reload without
        cnnkit.
    """
    if image.shape[-1] == 1:
        image = keras.layers.Concatenate(name="three_channels")([image] * 3)
    if preprocessing == "none":
        return image
    scale, offset = {
        "tf": (1 / 127.5, -1.0),
        "torch": (
            [1 / 255 / deviation for deviation in _DEVIATIONS],
            [-mean / deviation for mean, deviation in zip(_MEANS, _DEVIATIONS, strict=True)],
        ),
        "caffe": (1.0, [-mean for mean in _CAFFE_MEANS]),
    }[preprocessing]
    values = keras.layers.Rescaling(scale, offset, name="preprocessing")(image)
    return keras.ops.flip(values, axis=-1) if preprocessing == "caffe" else values


def _network(row: BackboneRow, image: Any, **arguments: Any) -> Any:
    """Return the untrained network behind its preprocessing."""
    builder = getattr(keras.applications, row.name)
    try:
        network = builder(
            include_top=False,
            weights=None,
            input_tensor=preprocessed(image, row.preprocessing),
            input_shape=(*image.shape[1:3], 3),
            **arguments,
        )
    except ValueError as error:
        raise UsageError(f"model.backbone: Keras refuses {row.name}: {error}") from error
    _number_from_zero(network)
    return network


def _number_from_zero(network: Any) -> None:
    """Give the layers that Keras numbered the names they have in a fresh process.

    Some networks leave names to Keras, which counts the layers of the whole process: what is
    `conv2d_3` in one would be `conv2d_97` in a second one that is built after it.
    """
    numbered = defaultdict(list)
    for layer in network.layers:
        stem, number = re.fullmatch(r"(.+?)(?:_(\d+))?", layer.name).groups()
        if stem.replace("_", "") == type(layer).__name__.lower():
            numbered[stem].append((int(number or 0), layer))
    for stem, layers in numbered.items():
        first = min(number for number, _ in layers)
        for number, layer in layers:
            layer.name = f"{stem}_{number - first}" if number > first else stem


def _output(network: Any, row: BackboneRow, layer: str | None) -> Any:
    if layer is None:
        return network.outputs[0]
    names = [part.name for part in network.layers[1:]]  # without the input
    if layer not in names:
        raise UsageError(
            f"model.backbone.layer: {row.name} has no layer {shown(layer)}."
            f"{did_you_mean(layer, names)} Its last ten layers: {', '.join(names[-10:])}."
        )
    return network.get_layer(layer).output


def _check_size(row: BackboneRow, image_size: tuple[int, int]) -> None:
    if min(image_size) < row.minimum_size:
        height, width = image_size
        smallest = min(other.minimum_size for other in BACKBONES.values())
        others = "" if row.minimum_size == smallest else f" Most networks take {smallest}."
        raise UsageError(
            f"data.image_size: {row.name} takes images of at least {row.minimum_size} x "
            f"{row.minimum_size} pixels, and these are {height} x {width}. Set data.image_size to "
            f"{row.minimum_size} or more.{others}"
        )


def _check_arguments(row: BackboneRow, arguments: Mapping[str, Any], *, imagenet: bool) -> None:
    for key, value in arguments.items():
        if key not in row.arguments:
            owners = [other.name for other in BACKBONES.values() if key in other.arguments]
            raise UsageError(
                f"model.backbone.{key}: {row.name} has no {key}. Remove it"
                + (f", or take one that has: {', '.join(owners)}." if owners else ".")
            )
        trained = row.arguments[key].trained
        if imagenet and value not in trained:
            raise UsageError(
                f"model.backbone.{key}: there are no ImageNet weights of {row.name} for {key} "
                f"{value}. There are for {', '.join(map(str, trained))}. Set one of these, or "
                "model.backbone.weights: none, or the path of a file."
            )
    whole = {key: arguments.get(key, part.default) for key, part in row.arguments.items()}
    if imagenet and row.untrained and whole == row.untrained:
        both = " and ".join(f"{key} {value}" for key, value in row.untrained.items())
        raise UsageError(
            f"model.backbone: there are no ImageNet weights of {row.name} for {both} together. "
            "Leave one of them out, or set model.backbone.weights: none, or the path of a file."
        )
