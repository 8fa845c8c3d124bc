"""Build the Keras model of a config, from raw pixels to probabilities, and compile it."""

from __future__ import annotations

from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.config import Call, Config
from cnnkit.errors import UsageError
from cnnkit.model.backbones import build_backbone
from cnnkit.model.layers import apply_layers
from cnnkit.model.losses import build_loss, build_metrics
from cnnkit.model.optimizers import build_optimizer
from cnnkit.model.precision import scaled_for


def build_model(config: Config, num_classes: int) -> Any:
    """Return the untrained `keras.Model` of a config; `training.seed` draws its weights.

    The input is uint8 (batch, height, width, channels) in [0, 255]. The model rescales it to
    [0, 1], or to what its backbone expects. A backbone is one layer of the model, itself a model
    named `backbone`, and has its trained weights. The output is probabilities: (batch,
    num_classes) for `softmax`; (batch, 1), the probability of the second class, for `sigmoid`.

    Raises:
        UsageError: the output is sigmoid but there are not exactly two classes, Keras refuses a
            layer, or the backbone is missing or does not fit the images.
    """
    sigmoid = config.model.output == "sigmoid"
    if sigmoid and num_classes != 2:
        raise UsageError(
            f"model.output: sigmoid is one unit for two classes, but the data has {num_classes} "
            "classes. Set model.output: softmax."
        )
    # Before the first layer, because Keras draws the weights of a layer when it is called.
    keras.utils.set_random_seed(config.training.seed)
    channels = 3 if config.data.color_mode == "rgb" else 1
    image = keras.Input((*config.data.image_size, channels), dtype="uint8", name="image")
    key = "layers" if config.model.backbone is None else "head"
    if key == "layers":
        # In the model, so that whoever uses an exported file gives it plain pixels.
        tensor = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
        tensor = apply_layers(config.model.layers, tensor)
    else:
        tensor = _features(config, image)
        tensor = apply_layers(head_layers(config, tensor), tensor, key)
    if len(tensor.shape) != 2:
        raise UsageError(
            f"model.{key} ends with a tensor of shape {tuple(tensor.shape[1:])}, but the output "
            "layer needs one row of numbers per image. Add flatten or global_pool at the end."
        )
    output = keras.layers.Dense(
        1 if sigmoid else num_classes,
        activation="sigmoid" if sigmoid else "softmax",
        name="probabilities",  # reserved in `cnnkit.arithmetic.layer_names`
    )(tensor)
    return keras.Model(image, output, name="cnnkit")


def _features(config: Config, image: Any) -> Any:
    """Return the features of the backbone.

    The backbone is not called with training=False, although its batch normalisation should keep
    its averages: in `fit`, Keras 3 overrides that value for all inner layers (keras issue 20285).
    Only a layer that is not trainable keeps them; `cnnkit.training.phases` decides which do.
    """
    channels = image.shape[-1]
    backbone = build_backbone(config.model.backbone, config.data.image_size, channels)
    # Again, so that the head gets the same weights however many numbers the backbone has drawn.
    keras.utils.set_random_seed(config.training.seed)
    return backbone(image)


def head_layers(config: Config, features: Any) -> tuple[Call, ...]:
    """Return the layers of `model.head`, or by default those that suit the features."""
    if config.model.head is not None:
        return config.model.head
    dropout = Call("dropout", {"rate": 0.2})
    # Maps are pooled first; a TF Hub module gives a row of numbers already.
    return (Call("global_pool"), dropout) if len(features.shape) == 4 else (dropout,)


def compile_model(model: Any, config: Config, optimizer: Any = None) -> None:
    """Compile a model with the optimizer, the loss and the metrics of the `training` section.

    Args:
        model: from `build_model`, or its head alone.
        config: its `training` section and `model.output` are read.
        optimizer: used instead of `training.optimizer`.
    """
    model.compile(
        optimizer=scaled_for(model, optimizer or build_optimizer(config.training.optimizer)),
        loss=build_loss(config),
        metrics=build_metrics(config),
        jit_compile=_jit_compile(config.training.jit_compile),
        auto_scale_loss=False,  # that is done above
    )


def _jit_compile(wanted: bool | str) -> bool | str:
    # XLA halves the speed of training on a CPU.
    has_gpu = bool(tf.config.get_visible_devices("GPU"))
    return False if wanted == "auto" and not has_gpu else wanted


def without_optimizer(model: Any) -> Any:
    """Return a model with the same weights but no optimizer.

    Saved with Adam's two averages per weight, a file would be three times as large.
    """
    return keras.Model(model.input, model.output, name=model.name)
