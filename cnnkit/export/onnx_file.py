"""Write a Keras model and its info as an `.onnx` file.

The converter, tf2onnx, looks for a maintainer, so this is as good as it is: what it writes is
compared with the Keras model before it gets its name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnkit.backend import tf
from cnnkit.model.model_info import ModelInfo
from cnnkit.quiet import quiet_stderr


def write_onnx(model: Any, info: ModelInfo, path: Path) -> None:
    """Write an `.onnx` with the labels and the pixel settings in its metadata."""
    with quiet_stderr(), warnings.catch_warnings(), _functions_in_line():
        warnings.simplefilter("ignore")  # about np.object, which tf2onnx looks for
        model.export(path, format="onnx", verbose=False)
    import onnx

    proto = onnx.load(path)
    onnx.helper.set_model_props(
        proto, {"cnnkit": info.to_json(), "labels": info.labels().rstrip("\n")}
    )
    onnx.save(proto, path)


@contextmanager
def _functions_in_line() -> Iterator[None]:
    """Trace the functions inside a model as parts of the model.

    Keras compiles a grouped convolution as a function of its own, and tf2onnx cannot read such
    inner functions.
    """
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
