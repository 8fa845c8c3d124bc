"""TensorFlow and Keras, imported quietly and set up once: `from cnnkit.backend import keras, tf`.

Only modules that build, train or convert import this one; it takes seconds. GPU memory is taken
as it is needed, not whole.
"""

from __future__ import annotations

import logging
import os

from cnnkit.quiet import quiet_stderr

os.environ["KERAS_BACKEND"] = "tensorflow"
with quiet_stderr():
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as with_constants,  # TensorFlow has no public name for it
    )

    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"Keras was imported with its {keras.backend.backend()} backend before cnnkit. "
            "Set KERAS_BACKEND=tensorflow."
        )
    for _gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(_gpu, True)

# Each phase of a training compiles its own functions; TensorFlow takes that for a mistake.
logging.getLogger("tensorflow").addFilter(
    lambda record: "triggered tf.function retracing" not in record.getMessage()
)

__all__ = ["keras", "tf", "with_constants"]
