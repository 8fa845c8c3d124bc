"""Write a Keras model and its info as a SavedModel folder of TensorFlow, for TensorFlow Serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.backend import tf
from cnnkit.export.image_bytes import pixels_function
from cnnkit.export.serving_function import image_spec, serving_function
from cnnkit.model.backbones.hub.hub_module import HubModule
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.model.calibrated_layers import DISTANCE, PROBABILITIES
from cnnkit.model.calibration import UNKNOWN
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo
from cnnkit.quiet import quiet_stderr

FROM_PIXELS, FROM_BYTES, FEATURES = "serving_default", "serving_bytes", "features"
# TensorFlow Serving takes base64 over REST for an input whose name ends like this.
_BYTES = "image_bytes"
_NEVER = 2.0  # a threshold that no probability reaches


def write_saved_model(model: Any, features: Any, info: ModelInfo, path: Path) -> Any:
    """Write a SavedModel folder that also has labels.txt and cnnkit.json.

    Its signatures are `serving_default`, from uint8 images to probabilities, class names and (of a
    calibrated model) distances; `serving_bytes`, the same from the bytes of image files; and
    `features`, from images to the input of the output layer.

    Args:
        model: the Keras model.
        features: the Keras model of its features.
        info: labels, pixel settings and calibration.
        path: of the folder.

    Returns:
        The `tf.Module` that was saved; its function `decode` returns the pixels of files.
    """
    path.mkdir()
    for name, text in ((LABELS_NAME, info.labels()), (INFO_NAME, info.to_json())):
        (path / name).write_text(text, encoding="utf-8")
    saved = _module(model, features, info)
    # They get into the folder `assets` as well, where programs of TensorFlow look for them.
    saved.labels = tf.saved_model.Asset(str(path / LABELS_NAME))
    saved.info = tf.saved_model.Asset(str(path / INFO_NAME))
    with quiet_stderr():
        signatures = {
            FROM_PIXELS: saved.from_pixels,
            FROM_BYTES: saved.from_bytes,
            FEATURES: saved.features,
        }
        tf.saved_model.save(saved, str(path), signatures=signatures)
    return saved


def _module(model: Any, features: Any, info: ModelInfo) -> Any:
    """Return a `tf.Module` with the functions to save.

    Keras's own `model.export` loses the variables of a TF Hub module. TensorFlow saves what it
    can reach from the saved object, so all that the functions read becomes an attribute of it.
    """
    saved = tf.Module()
    # Keras's variables wrap those of TensorFlow, and only the latter can be saved here.
    saved.parts = [variable.value for variable in model.variables]
    saved.modules = [layer.module for layer in layers_of(model) if isinstance(layer, HubModule)]
    saved.serve = serving_function(model)
    images = image_spec(model)
    files = tf.TensorSpec([None], tf.string, _BYTES)
    pixels_of = pixels_function(info.pixels)

    def from_pixels(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return _answers(model(image, training=False), info)

    def from_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return from_pixels(pixels_of(image_bytes))

    def features_of(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": features(image, training=False)}

    plain = {"autograph": False}
    saved.decode = tf.function(pixels_of, input_signature=[files], **plain)
    saved.from_pixels = tf.function(from_pixels, input_signature=[images], **plain)
    saved.from_bytes = tf.function(from_bytes, input_signature=[files], **plain)
    saved.features = tf.function(features_of, input_signature=[images], **plain)
    return saved


def _answers(outputs: Any, info: ModelInfo) -> dict[str, tf.Tensor]:
    """Return the probabilities of all classes and the name of the answer, which may be unknown."""
    outputs = outputs if isinstance(outputs, dict) else {PROBABILITIES: outputs}
    probabilities = outputs[PROBABILITIES]
    if info.output == "sigmoid":
        probabilities = tf.concat([1 - probabilities, probabilities], axis=1)
    labels = tf.argmax(probabilities, axis=1)
    names = tf.gather(tf.constant(info.class_names), labels)
    if info.calibration is None:
        return {PROBABILITIES: probabilities, "class_name": names}
    distances = outputs[DISTANCE][:, 0]
    limits = [_NEVER if limit is None else limit for limit in info.calibration.thresholds]
    # In float64, as `Calibration.refusal` compares them.
    threshold = tf.gather(tf.constant(np.array(limits)), labels)
    is_sure = tf.cast(tf.reduce_max(probabilities, axis=1), tf.float64) >= threshold
    is_near = tf.cast(distances, tf.float64) <= info.calibration.largest_distance
    return {
        PROBABILITIES: probabilities,
        DISTANCE: distances,
        "class_name": tf.where(is_sure & is_near, names, UNKNOWN),
    }
