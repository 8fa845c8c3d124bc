"""A config and a number of classes enter; a Keras model, pixels to probabilities, leaves."""

from __future__ import annotations

from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.config import Call, Config
from cnnkit.errors import UsageError
from cnnkit.layers import apply_layers


def build_model(config: Config, num_classes: int) -> Any:
    """Return the untrained `keras.Model` of a config, its weights drawn by `training.seed`.

    The input is uint8 (batch, height, width, channels) in [0, 255], rescaled to [0, 1] inside.
    The output is probabilities: (batch, num_classes) for `softmax`; (batch, 1), the probability
    of the second class, for `sigmoid`.

    Raises:
        UsageError: a sigmoid output without exactly two classes, or a layer that Keras refuses.
    """
    sigmoid = config.model.output == "sigmoid"
    if sigmoid and num_classes != 2:
        raise UsageError(
            f"model.output is sigmoid, one unit for two classes, but the data has {num_classes}. "
            "Set model.output: softmax."
        )
    keras.utils.set_random_seed(config.training.seed)
    channels = 3 if config.data.color_mode == "rgb" else 1
    image = keras.Input((*config.data.image_size, channels), dtype="uint8", name="image")
    tensor = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
    tensor = apply_layers(config.model.layers, tensor)
    if len(tensor.shape) != 2:
        raise UsageError(
            f"model.layers ends with a tensor of shape {tuple(tensor.shape[1:])}, but the output "
            "layer needs one row of numbers an image. Add flatten or global_pool at the end."
        )
    output = keras.layers.Dense(
        1 if sigmoid else num_classes,
        activation="sigmoid" if sigmoid else "softmax",
        name="probabilities",
    )(tensor)
    return keras.Model(image, output, name="cnnkit")


def build_optimizer(call: Call) -> Any:
    """Return the Keras optimizer of `training.optimizer`.

    Raises:
        UsageError: Keras refuses an argument.
    """
    try:
        return getattr(keras.optimizers, call.keras_name)(**call.keras_arguments)
    except (ValueError, TypeError) as error:
        raise UsageError(f"training.optimizer ({call.name}): {error}") from error


def compile_model(model: Any, config: Config) -> None:
    """Give a model its optimizer, its loss and its accuracy, as the config's training says."""
    smoothing = config.training.label_smoothing
    if config.model.output == "sigmoid":
        loss = keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
    else:
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    model.compile(
        optimizer=build_optimizer(config.training.optimizer),
        loss=loss,
        metrics=[accuracy],
        jit_compile="auto" if on_gpu else False,  # XLA halves the speed on a CPU
    )


def without_optimizer(model: Any) -> Any:
    """Return the model, all weights shared, for saving without the optimizer's two thirds."""
    return keras.Model(model.input, model.output, name=model.name)
