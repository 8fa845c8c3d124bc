"""With which numbers a network computes while it is trained; its files always have float32.

Mixed precision keeps the weights as float32 and computes with float16 or bfloat16. Which numbers a
layer computes with is a property of the layer, so that the same network is trained with one kind
and saved with the other.

Source: Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.config import Config
from cnnkit.model.backbones.own_models import layers_of

FLOAT32 = "float32"
_TENSOR_CORES = (7, 0)  # the compute capability from which on a GPU is faster with float16


def with_known_precision(config: Config) -> Config:
    """Return the config with a precision that suits this computer in place of `auto`."""
    if config.training.precision != "auto":
        return config
    training = config.training.model_copy(update={"precision": _best_precision()})
    return config.model_copy(update={"training": training})


def _best_precision() -> str:
    gpus = tf.config.get_visible_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    # On a CPU, all others are slower.
    is_fast = bool(gpus) and all(
        each.get("compute_capability", (0, 0)) >= _TENSOR_CORES for each in details
    )
    return "mixed_float16" if is_fast else FLOAT32


def precision_warning(precision: str) -> str:
    """Return a sentence if this computer is slow with such numbers, otherwise an empty text."""
    if precision != "mixed_float16" or tf.config.list_physical_devices("GPU"):
        return ""
    return (
        "training.precision is mixed_float16, but TensorFlow sees no GPU: on a CPU it takes "
        "several times as long as float32."
    )


def set_precision(model: Any, precision: str) -> None:
    """Let the layers of a model compute with other numbers; compile it afterwards.

    The output layer keeps float32, so that the loss is exact, and so does a TF Hub module, whose
    graph knows nothing else.

    Args:
        model: from `build_model`.
        precision: float32, mixed_float16 or mixed_bfloat16.
    """
    for layer in layers_of(model):
        is_fixed = layer is model.layers[-1] or type(layer).__name__ == "HubModule"
        layer.dtype_policy = keras.dtype_policies.get(FLOAT32 if is_fixed else precision)


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """Let a model compute with float32 for a while, also in what is saved or built meanwhile."""
    policies = [(layer, layer.dtype_policy) for layer in layers_of(model)]
    try:
        for layer, _ in policies:
            layer.dtype_policy = keras.dtype_policies.get(FLOAT32)
        yield
    finally:
        for layer, policy in policies:
            layer.dtype_policy = policy


def scaled_for(model: Any, optimizer: Any) -> Any:
    """Return the optimizer, with a scaled loss if the model computes with float16.

    Small gradients would be 0 as float16, so the loss is multiplied by a large number, and the
    gradients are divided by it afterwards.
    """
    if any(layer.compute_dtype == "float16" for layer in layers_of(model)):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
