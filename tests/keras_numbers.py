"""Numbers from Keras and TensorFlow's profiler for a model, to compare our arithmetic with."""

from __future__ import annotations

import numpy as np

# The operations whose multiply-adds we count; the profiler also counts biases, pooling, ...
_COUNTED = {
    "Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "Conv2DBackpropInput",
}  # fmt: skip


def keras_model(layers, shape):
    """Return the Keras model of calls for float images, without rescaling and output layer."""
    from cnnkit.backend import keras
    from cnnkit.model.layers import apply_layers

    image = keras.Input(shape)
    return keras.Model(image, apply_layers(layers, image))


def trainable_parameters(model):
    """Return the number of trainable parameters."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def profiled_flops(model):
    """Return the profiler's FLOPs for one image in convolutions and matrix products."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    from cnnkit.backend import tf

    profiler = tf.compat.v1.profiler
    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(spec)
    graph = convert_variables_to_constants_v2(function).graph
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    found = profiler.profile(graph, options=options.with_empty_output().build(), cmd="op")
    return sum(node.float_ops for node in _nodes(found) if node.name in _COUNTED)


def _nodes(node):
    yield node
    for child in node.children:
        yield from _nodes(child)


def seen_pixels(model, position):
    """Return the first and last row, and column, of the image that affect one number of the output.

    Args:
        model: linear, with kernels of ones, so that no gradient is zero by chance.
        position: of the number in the output, without the axis of the batch.
    """
    from cnnkit.backend import keras, tf

    image = tf.Variable(keras.random.uniform((1, *model.input_shape[1:])))
    with tf.GradientTape() as tape:
        number = model(image, training=False)[(0, *position)]
    touched = np.argwhere(tape.gradient(number, image).numpy()[0].any(axis=-1))
    (top, left), (bottom, right) = touched.min(axis=0), touched.max(axis=0)
    return (int(top), int(bottom)), (int(left), int(right))
