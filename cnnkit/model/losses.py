"""The loss of a config, and the metrics that tell how it falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnkit.backend import keras
from cnnkit.config import Config

PLAIN_LOSS, CROSS_ENTROPY = "plain_loss", "cross_entropy"  # names of metrics


def build_loss(config: Config) -> Any:
    """Return the Keras loss of `training.loss`; its mean over a batch is what learning lowers."""
    kind = {
        "binary_crossentropy": keras.losses.BinaryCrossentropy,
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "binary_focal_crossentropy": keras.losses.BinaryFocalCrossentropy,
        "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
    }[config.loss_name]
    return kind(**_arguments(config))


def build_metrics(config: Config) -> list[Any]:
    """Return the metrics: accuracy, `plain_loss`, and `cross_entropy` if the loss is another one.

    `plain_loss` is the loss without class weights, and without penalties on weights. Keras adds
    the penalties of the layers that learn, so the losses of two phases cannot be compared, but
    this metric can.
    """
    is_binary = config.model.output == "sigmoid"
    kind = keras.metrics.BinaryAccuracy if is_binary else keras.metrics.CategoricalAccuracy
    function = getattr(keras.losses, config.loss_name)
    plain = keras.metrics.MeanMetricWrapper(function, name=PLAIN_LOSS, **_arguments(config))
    metrics = [kind(name="accuracy"), plain]
    if config.training.is_focal:
        name = "binary_crossentropy" if is_binary else "categorical_crossentropy"
        smoothing = config.training.label_smoothing
        metrics.append(
            keras.metrics.MeanMetricWrapper(
                getattr(keras.losses, name), name=CROSS_ENTROPY, label_smoothing=smoothing
            )
        )
    return metrics


def cross_entropy_of(logs: Mapping[str, float]) -> float:
    """Return the cross-entropy, with label smoothing, among the values of these metrics."""
    return logs[CROSS_ENTROPY] if CROSS_ENTROPY in logs else logs[PLAIN_LOSS]


def _arguments(config: Config) -> dict[str, Any]:
    loss = config.training.loss
    given = {} if loss is None else loss.arguments
    return {**given, "label_smoothing": config.training.label_smoothing}
