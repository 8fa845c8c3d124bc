"""Models of other programs, made by their own tools: each names the colour of a picture.

The answer is softmax(SLOPE * mean of each channel of the scaled pixels), so it is known by hand.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image

from cnnkit.backend import keras, tf

SIZE, SLOPE = 8, 4.0
NAMES = ("red", "green", "blue")
COLOUR = (200, 90, 40)


def picture(colour=COLOUR, mode="RGB"):
    """Return the bytes of a PNG of one colour."""
    file = io.BytesIO()
    Image.new(mode, (SIZE, SIZE), colour).save(file, "PNG")
    return file.getvalue()


def softmax(values):
    powers = np.exp(np.asarray(values, np.float64) - np.max(values))
    return powers / powers.sum()


def scaled_by_hand(colour, scaling):
    """Return red, green, blue as a model gets them, written out from Keras's documentation."""
    values = np.array(colour, np.float64)
    means, deviations = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return {
        "0-255": values,
        "0-1": values / 255,
        "tf": values / 127.5 - 1,
        "torch": (values / 255 - means) / deviations,
        "caffe": (values - [123.68, 116.779, 103.939])[::-1],
        "lite": (values - 127) / 128,
    }[scaling]


def labels_file(folder, names=NAMES):
    path = folder / "labels.txt"
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def keras_model(*, channels=3, units=3, activation="softmax", slope=SLOPE, dtype="float32"):
    image = keras.Input((SIZE, SIZE, channels), dtype=dtype, name="image")
    values = keras.ops.cast(image, "float32") if dtype != "float32" else image
    mean = keras.layers.GlobalAveragePooling2D()(values)
    dense = keras.layers.Dense(units, activation=activation, use_bias=False)
    model = keras.Model(image, dense(mean))
    kernel = np.zeros((channels, units), np.float32)
    np.fill_diagonal(kernel, slope)
    dense.set_weights([kernel])
    return model


def write_tflite(path, model, *, integers=None, values=(-1.0, 1.0)):
    """Convert a Keras model; with `integers` (a TensorFlow type) to whole numbers, in and out."""
    shape = (1, *model.inputs[0].shape[1:])
    function = tf.function(
        lambda image: model(image, training=False),
        input_signature=[tf.TensorSpec(shape, model.inputs[0].dtype)],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], tf.Module()
    )
    if integers is not None:
        low, high = values
        spread = np.linspace(low, high, 16).reshape(16, 1, 1, 1, 1)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [np.full(shape, each, np.float32)] for each in spread
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = integers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statistics are expected, and come from the data set
        path.write_bytes(converter.convert())
    return path


def write_onnx(path, *, channels_first=True, batch="batch", logits=False, two_outputs=False):
    """Write the same model with the helpers of the package onnx, without any converter."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    axes = [2, 3] if channels_first else [1, 2]
    sizes = [3, SIZE, SIZE] if channels_first else [SIZE, SIZE, 3]
    kernel = (np.eye(3) * SLOPE).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "kernel"], ["scores" if not logits else "answer"]),
    ]
    if not logits:
        nodes.append(helper.make_node("Softmax", ["scores"], ["answer"], axis=1))
    outputs = ["answer", "mean"] if two_outputs else ["answer"]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *sizes])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 3]) for name in outputs],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.array(axes, np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    save(model, path)
    return path
