"""A Keras model and its info enter; a SavedModel folder, a `.tflite` or an `.onnx` leaves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.backend import tf, with_constants
from cnnkit.model.backbones.hub.hub_module import HubModule
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo, append_info
from cnnkit.quiet import quiet_stderr


@dataclass(frozen=True)
class Format:
    """How one format is written, and the name it has in the export folder."""

    file_name: str
    write: Callable[[Any, ModelInfo, Path], None]


def write_saved_model(model: Any, info: ModelInfo, path: Path) -> None:
    """Write a TensorFlow SavedModel folder with labels.txt and cnnkit.json in it."""
    _save(model, path)
    (path / LABELS_NAME).write_text(info.labels(), encoding="utf-8")
    (path / INFO_NAME).write_text(info.to_json(), encoding="utf-8")


def write_tflite(model: Any, info: ModelInfo, path: Path) -> None:
    """Write a float32 `.tflite` with labels and pixel settings behind it, whole or not at all.

    Its weights are constants before TensorFlow converts it, a third of the time of converting a
    SavedModel with variables.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tflite-") as folder:
        fresh = Path(folder) / "model.tflite"
        with quiet_stderr():
            function = with_constants(_serve(model).get_concrete_function())
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
            fresh.write_bytes(converter.convert())
        append_info(fresh, info)
        os.replace(fresh, path)


def _serve(model: Any) -> Any:
    """Return the function that answers images."""
    image = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype, "image")
    return tf.function(lambda image: model(image, training=False), input_signature=[image])


def _save(model: Any, path: Path) -> None:
    """Write a SavedModel whose one function, `serve`, answers images.

    `model.export` loses the variables of a TF Hub module. What the function reads must hang on the
    object that is saved, the modules included.
    """
    saved = tf.Module()
    saved.parts = [variable.value for variable in model.variables]
    saved.modules = [layer.module for layer in layers_of(model) if isinstance(layer, HubModule)]
    saved.serve = _serve(model)
    with quiet_stderr():
        tf.saved_model.save(saved, str(path), signatures=saved.serve)


def write_onnx(model: Any, info: ModelInfo, path: Path) -> None:
    """Write an `.onnx` whose metadata holds the labels and the pixel settings."""
    with quiet_stderr(), _functions_in_line():
        model.export(path, format="onnx", verbose=False)
    import onnx

    proto = onnx.load(path)
    onnx.helper.set_model_props(
        proto, {"cnnkit": info.to_json(), "labels": info.labels().rstrip("\n")}
    )
    onnx.save(proto, path)


@contextmanager
def _functions_in_line() -> Iterator[None]:
    """Trace functions inside a model as part of it.

    Keras compiles grouped convolutions as functions of their own, which tf2onnx cannot look into.
    """
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


FORMATS = {
    "saved_model": Format("saved_model", write_saved_model),
    "tflite": Format("model.tflite", write_tflite),
    "onnx": Format("model.onnx", write_onnx),
}
