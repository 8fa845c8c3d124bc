"""A model that answers with the mean over an image and its mirror image, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnkit.config import Config, load_config
from cnnkit.model.calibrated_layers import feature_model
from cnnkit.model.loading import load_keras_model
from cnnkit.runs import run_of_file


def load_answering_model(path: Path) -> Any:
    """Return the `keras.Model` of a `.keras` file in a run, as it answers: see `answering_model`.

    Raises:
        UsageError: the file is damaged.
    """
    return answering_model(load_keras_model(path), load_config(run_of_file(path).config))


def answering_model(model: Any, config: Config) -> Any:
    """Return the trained `keras.Model` as it answers: mirrored, if `model.tta` says so."""
    return mirrored_model(model) if config.model.tta == "flips" else model


def mirrored_model(model: Any) -> Any:
    """Return a `keras.Model` with the mean features of each image and of its mirror image.

    The output layer gets the means, so the logits are the means of both logits too. All images and
    all mirror images are one batch, so the weights are in the file once.

    Args:
        model: as `build_model` makes it; its last layer is the output layer.
    """
    from cnnkit.backend import keras

    image = model.input
    both = keras.ops.concatenate([image, keras.ops.flip(image, axis=2)])
    features = feature_model(model)(both)
    means = keras.ops.mean(keras.ops.reshape(features, (2, -1, features.shape[-1])), axis=0)
    return keras.Model(image, model.layers[-1](means), name=model.name)
