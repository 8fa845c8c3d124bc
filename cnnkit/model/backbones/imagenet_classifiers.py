"""Build a network with its classifier of the 1,000 classes of ImageNet."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from cnnkit.backbone_networks import NETWORKS, NetworkRow
from cnnkit.backend import keras
from cnnkit.errors import CnnkitError
from cnnkit.model.backbones.named_networks import named_backbone, preprocessed
from cnnkit.model.backbones.package_weights import package_weights
from cnnkit.model.backbones.torch_checkpoint import read_checkpoint

NUM_CLASSES = 1000


def imagenet_classifier(name: str) -> Any:
    """Return a `keras.Model` from uint8 pixels of the network's usual size to probabilities.

    Its layers are those of the network; the preprocessing is the first of them.

    Args:
        name: a key of NETWORKS.

    Raises:
        CnnkitError: the weights cannot be downloaded, or their package is not installed.
    """
    row = NETWORKS[name]
    return _lite_classifier(row) if row.package else _keras_classifier(row)


def _keras_classifier(row: NetworkRow) -> Any:
    image = keras.Input((row.default_size, row.default_size, 3), dtype="uint8", name="image")
    builder = getattr(keras.applications, row.name)
    try:
        # Keras shows its progress on stdout, which belongs to the results of a command.
        with contextlib.redirect_stdout(sys.stderr):
            return builder(weights="imagenet", input_tensor=preprocessed(image, row.preprocessing))
    except Exception as error:  # without a network, Keras raises a plain Exception
        raise CnnkitError(
            f"The weights of {row.name} for ImageNet could not be loaded: {error}\nKeras downloads "
            "them once into ~/.keras/models ($KERAS_HOME/models). Without internet, copy that "
            "file from another computer into this folder, or use EfficientNetLite0, whose weights "
            "come with cnnkit."
        ) from error


def _lite_classifier(row: NetworkRow) -> Any:
    """Return an EfficientNet-Lite with the classifier of its checkpoint."""
    size = (row.default_size, row.default_size)
    backbone = named_backbone(row.name, size, 3, weights="imagenet", arguments={})
    features = keras.layers.GlobalAveragePooling2D(name="avg_pool")(backbone.output)
    dense = keras.layers.Dense(NUM_CLASSES, activation="softmax", name="predictions")
    answer = dense(features)
    tensors = read_checkpoint(package_weights(row))
    dense.set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    return keras.Model(backbone.input, answer, name=row.name)
