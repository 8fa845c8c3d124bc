"""Turn a Keras model in inference mode into a function of TensorFlow, which converters take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnkit.backend import keras, tf, with_constants


def serving_function(model: Any) -> Any:
    """Return the model in inference mode as a `tf.function` of images; their number is open."""
    image = image_spec(model)
    return tf.function(
        lambda image: model(image, training=False), input_signature=[image], autograph=False
    )


def image_spec(model: Any, num_images: int | None = None) -> Any:
    """Return the `tf.TensorSpec` of a model's images, for a number of them or for any (None)."""
    return tf.TensorSpec((num_images, *model.inputs[0].shape[1:]), model.inputs[0].dtype, "image")


def constant_function(model: Any, num_images: int | None = None) -> Any:
    """Return the model as a concrete function that has the weights as constants.

    Args:
        model: the Keras model.
        num_images: that the function takes at once; None for any number. TensorFlow Lite reads an
            open number as 1.
    """
    image = image_spec(model, num_images)
    values = [(variable, variable.numpy()) for variable in model.variables]

    def serve(image: tf.Tensor) -> tf.Tensor:
        # Reading constants is much faster than replacing variables in the finished function.
        constants = [(variable, tf.constant(value)) for variable, value in values]
        with keras.StatelessScope(constants):
            return model(image, training=False)

    function = tf.function(serve, input_signature=[image], autograph=False)
    function = function.get_concrete_function()
    if not function.captured_inputs:
        return function
    # The function of a TF Hub module reads variables that Keras cannot replace.
    function = with_constants(function)
    return _named(function, image, model) if isinstance(model.output, dict) else function


def _named(function: Any, image: Any, model: Any) -> Any:
    """Return a function with constants whose outputs have their names again.

    TensorFlow has put the outputs in the order of their names.
    """
    names = sorted(model.output)
    named = tf.function(
        lambda image: dict(zip(names, function(image), strict=True)), input_signature=[image]
    )
    return named.get_concrete_function()


@contextmanager
def float_images(model: Any) -> Iterator[None]:
    """Let a model, and the models inside it, take float32 images inside the block.

    Keras casts what it is given to the type of the input, uint8, and a cast cannot be quantised: an
    image as float32 would be the largest tensor of a small network.
    """
    inputs = [
        tensor
        for each in _models_in(model)
        for tensor in each.inputs
        if keras.backend.standardize_dtype(tensor.dtype) == "uint8"
    ]
    for tensor in inputs:
        tensor._dtype = "float32"  # Keras has no public way to change it
    try:
        yield
    finally:
        for tensor in inputs:
            tensor._dtype = "uint8"


def _models_in(model: Any) -> Iterator[Any]:
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _models_in(layer)
