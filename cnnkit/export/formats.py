"""Write a Keras model and its info as a SavedModel folder, a `.tflite` or an `.onnx` file."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnkit.backend import keras, tf, with_constants
from cnnkit.model.backbones.hub.hub_module import HubModule
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo, append_info
from cnnkit.quiet import quiet_stderr


def write_saved_model(model: Any, info: ModelInfo, path: Path) -> None:
    """Write a TensorFlow SavedModel folder that also has labels.txt and cnnkit.json."""
    _save(model, path)
    (path / LABELS_NAME).write_text(info.labels(), encoding="utf-8")
    (path / INFO_NAME).write_text(info.to_json(), encoding="utf-8")


def write_tflite(model: Any, info: ModelInfo, path: Path) -> None:
    """Write a float32 `.tflite` with labels and pixel settings, whole or not at all.

    The weights are constants before TensorFlow converts the model. That takes a quarter of the time
    of converting a SavedModel with variables.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tflite-") as folder:
        fresh = Path(folder) / "model.tflite"
        with quiet_stderr():
            function = _serve_constants(model)
            # The converter asks for the owner of the variables; as constants they need none.
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
            fresh.write_bytes(converter.convert())
        # Before the file gets its name: a model.tflite never lacks its labels.
        append_info(fresh, info)
        os.replace(fresh, path)


def _serve(model: Any) -> Any:
    """Return the model in inference mode as a `tf.function` of images.

    The number of images is open. TensorFlow Lite reads an open size as 1.
    """
    image = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype, "image")
    return tf.function(
        lambda image: model(image, training=False), input_signature=[image], autograph=False
    )


def _serve_constants(model: Any) -> Any:
    """Return the same as a concrete function that has the weights as constants."""
    image = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype, "image")
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
    return _named(function, model) if isinstance(model.output, dict) else function


def _named(function: Any, model: Any) -> Any:
    """Return a function with constants whose outputs have their names again.

    TensorFlow has put the outputs in the order of their names.
    """
    image = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype, "image")
    names = sorted(model.output)
    named = tf.function(
        lambda image: dict(zip(names, function(image), strict=True)), input_signature=[image]
    )
    return named.get_concrete_function()


def _save(model: Any, path: Path) -> None:
    """Write a SavedModel with one function, `serve`, from images to outputs.

    Keras's own `model.export` loses the variables of a TF Hub module. TensorFlow saves what it
    can reach from the saved object, so all that `serve` reads becomes an attribute of it.
    """
    saved = tf.Module()
    # Keras's variables wrap those of TensorFlow, and only the latter can be saved here.
    saved.parts = [variable.value for variable in model.variables]
    saved.modules = [layer.module for layer in layers_of(model) if isinstance(layer, HubModule)]
    saved.serve = _serve(model)
    with quiet_stderr():
        tf.saved_model.save(saved, str(path), signatures=saved.serve)


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


# What writes a model and its info to a path, by format.
WRITERS: dict[str, Callable[[Any, ModelInfo, Path], None]] = {
    "saved_model": write_saved_model,
    "tflite": write_tflite,
    "onnx": write_onnx,
}
