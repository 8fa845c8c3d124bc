"""Networks of Keras, ours made from them, and photographs that tell them apart."""

from __future__ import annotations

import numpy as np

from cnnkit.backbone_networks import NETWORKS
from cnnkit.backend import keras
from cnnkit.model.backbones.named_networks import named_backbone

SMALL_V2 = {"alpha": 0.35}

KERAS_NETWORKS = {name: row for name, row in NETWORKS.items() if not row.package}


def backbone(name, size=(32, 32), channels=3, *, weights=None, layer=None, **arguments):
    return named_backbone(name, size, channels, weights=weights, arguments=arguments, layer=layer)


def untrained(alpha=0.25, **options):
    """Return Keras's smallest network with random weights."""
    options = {"include_top": False, "input_shape": (32, 32, 3), **options}
    return keras.applications.MobileNet(weights=None, alpha=alpha, **options)


def assert_same_weights(network, expected):
    assert len(network.weights) == len(expected.weights)
    for ours, theirs in zip(network.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
