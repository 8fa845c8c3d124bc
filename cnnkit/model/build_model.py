"""A config and a number of classes enter; a Keras model, pixels to probabilities, leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.config import Call, Config
from cnnkit.errors import UsageError
from cnnkit.model.backbones import build_backbone
from cnnkit.model.layers import apply_layers


def build_model(config: Config, num_classes: int) -> Any:
    """Return the untrained `keras.Model` of a config, its weights drawn by `training.seed`.

    The input is uint8 (batch, height, width, channels) in [0, 255], rescaled to [0, 1] inside, or
    as the backbone wants it. The layers of a backbone lie in a model of their own, `backbone`,
    with their trained weights. The output is probabilities: (batch, num_classes) for `softmax`;
    (batch, 1), the probability of the second class, for `sigmoid`.

    Raises:
        UsageError: a sigmoid output without exactly two classes, a layer that Keras refuses, or a
            backbone that is not there or does not fit.
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
    key = "layers" if config.model.backbone is None else "head"
    if key == "layers":
        tensor = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
        tensor = apply_layers(config.model.layers, tensor)
    else:
        tensor = _features(config, image)
        tensor = apply_layers(_head(config, tensor), tensor, key)
    if len(tensor.shape) != 2:
        raise UsageError(
            f"model.{key} ends with a tensor of shape {tuple(tensor.shape[1:])}, but the output "
            "layer needs one row of numbers an image. Add flatten or global_pool at the end."
        )
    output = keras.layers.Dense(
        1 if sigmoid else num_classes,
        activation="sigmoid" if sigmoid else "softmax",
        name="probabilities",
    )(tensor)
    return keras.Model(image, output, name="cnnkit")


def _features(config: Config, image: Any) -> Any:
    """Return the features of the backbone.

    It is not called with training=False: in `fit`, Keras 3 overrides that for all inner layers
    (keras issue 20285). Layers whose averages are to stay must not be trainable.
    """
    channels = image.shape[-1]
    backbone = build_backbone(config.model.backbone, config.data.image_size, channels)
    keras.utils.set_random_seed(config.training.seed)  # whatever the backbone drew
    return backbone(image)


def _head(config: Config, features: Any) -> tuple[Call, ...]:
    """Return the layers of `model.head`, by default those that suit the features."""
    if config.model.head is not None:
        return config.model.head
    dropout = Call("dropout", {"rate": 0.2})
    return (Call("global_pool"), dropout) if len(features.shape) == 4 else (dropout,)


def build_optimizer(call: Call, multiples: Mapping[str, float] | None = None) -> Any:
    """Return the Keras optimizer of a call.

    Args:
        call: as `training.optimizer`.
        multiples: of the learning rate, by the path of a variable, where it is not 1. Weight decay
            that is a part of the step (AdamW's) is multiplied too.

    Raises:
        UsageError: Keras refuses an argument.
    """
    try:
        kind = getattr(keras.optimizers, call.keras_name)
        optimizer = kind(**call.keras_arguments)
    except (ValueError, TypeError) as error:
        raise UsageError(f"training.optimizer ({call.name}): {error}") from error
    if multiples:
        optimizer.__class__ = _with_multiples(kind, multiples)
    return optimizer


def _with_multiples(kind: type, multiples: Mapping[str, float]) -> type:
    """Return a kind of optimizer that steps further or less far for some variables."""

    class WithMultiples(kind):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient, variable, learning_rate * self._multiple(variable))

        def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
            decay = self.weight_decay
            for variable in variables:
                self.weight_decay = decay and decay * self._multiple(variable)
                super()._apply_weight_decay([variable])
            self.weight_decay = decay

        def _multiple(self, variable: Any) -> float:
            # What enters may be TensorFlow's variable, which has no path.
            path = self._trainable_variables[self._get_variable_index(variable)].path
            return multiples.get(path, 1.0)

    return WithMultiples


def compile_model(model: Any, config: Config, optimizer: Any = None) -> None:
    """Give a model its optimizer, its loss and its metrics, as the config's training says.

    The metric `cross_entropy` is the loss without penalties on weights: which of them Keras adds
    depends on the layers that learn, so that the loss of two phases cannot be compared.

    Args:
        model: of `build_model`, or its head alone.
        config: loss, smoothing and, by default, the optimizer are read.
        optimizer: another one.
    """
    smoothing = config.training.label_smoothing
    if config.model.output == "sigmoid":
        loss = keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
        cross_entropy = keras.metrics.BinaryCrossentropy
    else:
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        cross_entropy = keras.metrics.CategoricalCrossentropy
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    model.compile(
        optimizer=optimizer or build_optimizer(config.training.optimizer),
        loss=loss,
        metrics=[accuracy, cross_entropy(name="cross_entropy", label_smoothing=smoothing)],
        jit_compile="auto" if on_gpu else False,  # XLA halves the speed on a CPU
    )


def without_optimizer(model: Any) -> Any:
    """Return the model, all weights shared, for saving without the optimizer's two thirds."""
    return keras.Model(model.input, model.output, name=model.name)
