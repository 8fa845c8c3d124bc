"""Write a Keras model and its info as a `.tflite` file, also with smaller weights."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.backend import tf, tflite_buffers
from cnnkit.errors import CnnkitError
from cnnkit.export.serving_function import constant_function, float_images
from cnnkit.export.tflite_metadata import with_metadata
from cnnkit.model.model_info import ModelInfo, append_info
from cnnkit.quiet import quiet_stderr

_FULL_INT8 = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]


def write_tflite(
    model: Any,
    info: ModelInfo,
    path: Path,
    *,
    num_images: int | None = None,
    change: Callable[[Any], None] = lambda converter: None,
) -> None:
    """Write a `.tflite` with labels and pixel settings, whole or not at all; float32 by default.

    The weights are constants before TensorFlow converts the model. That takes a quarter of the time
    of converting a SavedModel with variables.

    Args:
        model: the Keras model.
        info: its labels and settings.
        path: of the file.
        num_images: that the signature says; None for any number. LiteRT.js needs a number.
        change: sets options of the converter.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tflite-") as folder:
        fresh = Path(folder) / "model.tflite"
        with quiet_stderr():
            function = constant_function(model, num_images)
            # The converter asks for the owner of the variables; as constants they need none.
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
            change(converter)
            fresh.write_bytes(with_metadata(converter.convert(), info))
        # Before the file gets its name: a model.tflite never lacks its labels.
        append_info(fresh, info)
        os.replace(fresh, path)


def write_float16_tflite(model: Any, info: ModelInfo, path: Path) -> None:
    """Write a `.tflite` of half the size: weights as float16, computed in float32."""

    def change(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    write_tflite(model, info, path, change=change)


def write_dynamic_tflite(model: Any, info: ModelInfo, path: Path) -> None:
    """Write a `.tflite` of a quarter of the size: weights as int8.

    The values between layers are scaled to int8 for each image by itself.
    """

    def change(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    write_tflite(model, info, path, change=change)


def write_int8_tflite(model: Any, info: ModelInfo, path: Path, images: NDArray) -> None:
    """Write a `.tflite` that computes in int8, as microcontrollers and small accelerators want.

    It takes one image, uint8 pixels without scaling, and returns probabilities as float32.

    Args:
        model: the Keras model.
        info: its labels and settings.
        path: of the file.
        images: uint8 (num_images, height, width, channels) of the training split; the ranges of
            the values between layers are measured on them.
    """

    def change(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([each[None]] for each in _full_range(images))
        # What has no int8 form, such as the distance of a calibrated model, stays float.
        converter.target_spec.supported_ops = _FULL_INT8
        converter.inference_input_type = tf.uint8

    with float_images(model):
        write_tflite(model, info, path, num_images=1, change=change)
    _check_plain_pixels(path)


def _check_plain_pixels(path: Path) -> None:
    """Refuse a file whose users would have to scale the pixels."""
    graph = tflite_buffers.read_model(str(path)).subgraphs[0]
    scaling = graph.tensors[graph.inputs[0]].quantization
    if (scaling.scale[0], scaling.zeroPoint[0]) != (1, 0):
        raise CnnkitError(f"TensorFlow scales the pixels of {path.name} by {scaling.scale[0]:g}.")


def _full_range(images: NDArray) -> NDArray:
    """Return float32 images; each has one black and one white value in a corner.

    So the measured range of the input is 0 to 255, and the pixels need no scaling.
    """
    images = images.astype(np.float32)
    images[:, 0, 0, 0], images[:, -1, -1, -1] = 0, 255
    return images
