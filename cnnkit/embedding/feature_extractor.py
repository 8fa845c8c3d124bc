"""Load a model as a function from pixels to features."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.litert import copies_for_threads, interpreter_of, most_copies
from cnnkit.model.loading import load_keras_model
from cnnkit.runs import run_around
from cnnkit.runtimes import Predictor

Features = Callable[[NDArray], NDArray]
_CLASSIFIERS = ("Dense", "Conv2D")


@dataclass(frozen=True)
class FeatureExtractor:
    """A model without its classifier.

    Args:
        pixels: how an image becomes its input.
        width: how many features an image has.
        features: from uint8 (num_images, height, width, channels) to float32 (num_images, width);
            several threads may call it.
    """

    pixels: PixelSettings
    width: int
    features: Features


def feature_extractor(predictor: Predictor) -> FeatureExtractor:
    """Return the features of a model: the input of its classifier.

    A `.tflite` runs on LiteRT, without TensorFlow.

    Args:
        predictor: the model, from `load_chosen`.

    Raises:
        UsageError: the model has no features that can be found.
    """
    if predictor.path.suffix == ".tflite":
        features = _of_tflite(predictor)
    else:
        features = _of_layers(predictor)
    pixels = predictor.info.pixels
    width = features(np.zeros((1, *pixels.shape), np.uint8)).shape[1]
    return FeatureExtractor(pixels, width, features)


def _of_tflite(predictor: Predictor) -> Features:
    from cnnkit.embedding.tflite_features import feature_tflite

    content = feature_tflite(predictor.path)
    prepare = predictor.prepare or (lambda pixels: pixels)

    def load() -> Features:
        return _runner(interpreter_of(content, 1), prepare)

    return copies_for_threads(load, most=min(os.cpu_count() or 1, most_copies(predictor.path)))


def _runner(interpreter: Any, prepare: Callable[[NDArray], NDArray]) -> Features:
    image = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]
    scale, zero_point = output["quantization"]

    def features(pixels: NDArray) -> NDArray:
        rows = []
        for one in prepare(pixels):
            interpreter.set_tensor(image, one[None])
            interpreter.invoke()
            rows.append(interpreter.get_tensor(output["index"]).reshape(-1))
        found = np.array(rows, np.float32)
        return (found - zero_point) * np.float32(scale) if scale else found

    return features


def _of_layers(predictor: Predictor) -> Features:
    """Return the features of a model with layers, computed by Keras."""
    from cnnkit.backend import tf
    from cnnkit.explore.features.model_graph import run_steps, steps_of

    steps = steps_of(_keras_model(predictor))
    last = len(steps) - 1
    while last and steps[last].kind not in _CLASSIFIERS:
        last = steps[last].inputs[0]
    if not last:
        raise UsageError(
            f"{predictor.path} has no dense layer, so it is not known where its features are."
        )
    before = steps[last].inputs[0]
    spec = tf.TensorSpec((None, *steps[0].shape), tf.float32)
    compiled = tf.function(
        lambda images: run_steps(steps, images, until=before)[-1], [spec], autograph=False
    )
    calling = threading.Lock()

    def features(pixels: NDArray) -> NDArray:
        with calling:
            found = compiled(tf.constant(pixels.astype(np.float32)))
        return np.asarray(found, np.float32).reshape(len(pixels), -1)

    return features


def _keras_model(predictor: Predictor) -> Any:
    if predictor.layers is not None:
        return predictor.layers()
    if predictor.path.suffix == ".keras" and run_around(predictor.path) is not None:
        return load_keras_model(predictor.path)
    raise UsageError(
        f"{predictor.path} does not show its layers, so its features cannot be found. Give a run, "
        "a .tflite, .keras or .h5 file, or the name of a network."
    )
