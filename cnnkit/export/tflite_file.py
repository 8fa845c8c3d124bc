"""Write a Keras model and its info as a `.tflite` file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from cnnkit.backend import tf
from cnnkit.export.serving_function import constant_function
from cnnkit.model.model_info import ModelInfo, append_info
from cnnkit.quiet import quiet_stderr


def write_tflite(model: Any, info: ModelInfo, path: Path, *, num_images: int | None = None) -> None:
    """Write a float32 `.tflite` with labels and pixel settings, whole or not at all.

    The weights are constants before TensorFlow converts the model. That takes a quarter of the time
    of converting a SavedModel with variables.

    Args:
        model: the Keras model.
        info: its labels and settings.
        path: of the file.
        num_images: that the signature says; None for any number. LiteRT.js needs a number.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tflite-") as folder:
        fresh = Path(folder) / "model.tflite"
        with quiet_stderr():
            function = constant_function(model, num_images)
            # The converter asks for the owner of the variables; as constants they need none.
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
            fresh.write_bytes(converter.convert())
        # Before the file gets its name: a model.tflite never lacks its labels.
        append_info(fresh, info)
        os.replace(fresh, path)
