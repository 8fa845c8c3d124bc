"""Put a temperature and a distance into a Keras model, so that every exported file has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import UsageError, damage_as_value_error
from cnnkit.files import atomic_write
from cnnkit.text import quoted

NEIGHBOUR = 5  # whose distance counts: one neighbour may be mislabelled, or a copy
PROBABILITIES, DISTANCE = "probabilities", "distance"  # the names of the outputs
# (n, h, w, c) uint8 -> for each output, by its name, (n, units) float32. A model that was not
# calibrated has only `probabilities`.
Outputs = Callable[[NDArray], dict[str, NDArray]]
_EPSILON = 1e-12  # as in Keras's UnitNormalization


def unit_rows(features: NDArray) -> NDArray:
    """Return features (num_images, num_features) scaled to length 1; zeros stay zeros."""
    features = np.asarray(features)
    lengths = np.sqrt(np.maximum(np.square(features).sum(axis=1, keepdims=True), _EPSILON))
    return features / lengths


def feature_model(model: Any) -> Any:
    """Return the `keras.Model` from pixels to the input of the output layer."""
    from cnnkit.backend import keras

    return keras.Model(model.input, model.layers[-1].input)


def logits_of(model: Any, features: NDArray) -> NDArray:
    """Return the logits (num_images, num_classes) of features, in float64.

    The one sigmoid unit z becomes two logits 0 and z, which softmax turns into the same
    probabilities.
    """
    output = model.layers[-1]
    kernel, bias = (np.asarray(weights, np.float64) for weights in output.get_weights())
    logits = np.asarray(features, np.float64) @ kernel + bias
    return logits if logits.shape[1] > 1 else np.concatenate([0 * logits, logits], axis=1)


def calibrated_model(model: Any, temperature: float, references: NDArray) -> Any:
    """Return a `keras.Model` with the outputs `probabilities` and `distance`.

    Dividing the weights of the output layer by the temperature divides the logits by it, and costs
    nothing. The given model is changed by that.

    Args:
        model: as `build_model` makes it; its last layer is the output layer.
        temperature: of the logits.
        references: (num_references, num_features), rows of length 1.
    """
    from cnnkit.backend import keras

    output = model.layers[-1]
    output.set_weights([weights / temperature for weights in output.get_weights()])
    similarity = keras.layers.Dense(len(references), use_bias=False, name="similarity")
    similar = similarity(keras.layers.UnitNormalization(name="unit_length")(output.input))
    similarity.set_weights([np.asarray(references.T, np.float32)])
    nearest, _ = keras.ops.top_k(similar, min(NEIGHBOUR, len(references)))
    distance = 1 - nearest[:, -1:]
    return keras.Model(model.input, {PROBABILITIES: model.output, DISTANCE: distance})


def save_references(references: NDArray, path: Path) -> None:
    """Write references whole or not at all."""
    with atomic_write(path, "wb") as file:
        np.savez(file, references=references)


def load_references(path: Path) -> NDArray:
    """Return the references that `save_references` wrote, float32.

    Raises:
        UsageError: the file is missing or damaged.
    """
    try:
        with damage_as_value_error(), np.load(path) as arrays:
            return arrays["references"]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{path} cannot be read: {reason}. Calibrate again: cnnkit calibrate "
            f"{quoted(path.parent)}"
        ) from error
