"""Import TensorFlow and Keras quietly and set them up: `from cnnkit.backend import keras, tf`.

The import takes seconds, so only modules that build, train or convert models import this one.
"""

from __future__ import annotations

import logging
import os
import sys

from cnnkit.lean_imports import hidden_packages, uncollected
from cnnkit.quiet import quiet_stderr

os.environ["KERAS_BACKEND"] = "tensorflow"
# Keras imports these for data frames, wrappers and galleries, which takes a third of the time. No
# command needs that, but a program that imports cnnkit and Keras may.
_NOT_FOR_COMMANDS = ("matplotlib", "pandas", "scipy", "sklearn")
_HIDDEN = _NOT_FOR_COMMANDS if "cnnkit.cli" in sys.modules else ()

# What is imported stays: looking for garbage among it takes a tenth of the time.
with quiet_stderr(), hidden_packages(*_HIDDEN), uncollected():
    import keras
    import tensorflow as tf
    from tensorflow.lite.python import schema_py_generated as tflite_schema
    from tensorflow.lite.tools import flatbuffer_utils as tflite_buffers
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as with_constants,  # TensorFlow has no public name for it
    )

    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"Keras was imported with its {keras.backend.backend()} backend before cnnkit. "
            "Set the environment variable KERAS_BACKEND=tensorflow, or import cnnkit first."
        )
    # By default TensorFlow takes all memory of a GPU at once, also from other processes.
    if os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH", "").lower() != "false":
        for _gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(_gpu, True)

# Each phase of a training compiles its own functions. TensorFlow counts them together and warns
# of a loop that compiles the same function again and again, which is not the case here.
logging.getLogger("tensorflow").addFilter(
    lambda record: "triggered tf.function retracing" not in record.getMessage()
)

__all__ = ["keras", "tf", "tflite_buffers", "tflite_schema", "with_constants"]
