"""Models whose trained weights are replaced by random ones, from the last layer to the first.

Source: Adebayo et al. 2018, arXiv:1810.03292, section 3.
"""

from __future__ import annotations

import numpy as np


def layers_with_weights(model):
    """Return the layers that can be randomised, the last one first."""
    return [layer for layer in model.layers[::-1] if layer.get_weights()]


def randomised(model, *, seed, num_layers=None):
    """Return a copy of a model in which the weights of its last layers are shuffled.

    Shuffled weights have the same size as the trained ones.

    Args:
        model: a trained model.
        seed: of the order.
        num_layers: how many layers with weights, from the last one on; None for all.
    """
    from cnnkit.backend import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    random = np.random.default_rng(seed)
    for layer in layers_with_weights(copy)[:num_layers]:
        weights = layer.get_weights()
        layer.set_weights([random.permuted(each.ravel()).reshape(each.shape) for each in weights])
    return copy
