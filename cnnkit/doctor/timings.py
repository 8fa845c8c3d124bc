"""How fast this machine decodes, trains and predicts: a few seconds of each."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnkit.backend import keras
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import predictor_of

_SECONDS = 1.5  # for each figure
_SIDE, _BATCH = 96, 32


def all_timings() -> list[tuple[str, float, str]]:
    """Return name, figure and unit of each measurement."""
    network = _network()
    return [
        ("decoding", _decoding(), "images/s (JPEG of 500 x 375 to 224 x 224, one thread)"),
        (
            "training",
            _training(network),
            f"images/s (3 convolutions, {_SIDE} x {_SIDE}, batches of {_BATCH})",
        ),
        ("prediction", _prediction(network), "ms per image (the same network as .tflite)"),
    ]


def _network() -> Any:
    kinds = keras.layers
    return keras.Sequential(
        [
            keras.Input((_SIDE, _SIDE, 3), dtype="uint8"),
            kinds.Rescaling(1 / 255),
            *(
                layer
                for filters in (32, 64, 128)
                for layer in (
                    kinds.Conv2D(filters, 3, padding="same", activation="relu"),
                    kinds.MaxPooling2D(),
                )
            ),
            kinds.GlobalAveragePooling2D(),
            kinds.Dense(10, activation="softmax", name="probabilities"),
        ]
    )


def _seconds_per_call(call: Callable[[], Any]) -> float:
    """Return the median time of a call, after a first one that does not count."""
    call()
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def _decoding() -> float:
    # Smooth, like a photograph: noise would take longer to decode.
    small = np.random.RandomState(0).randint(0, 256, (24, 32, 3)).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC).save(written, "JPEG")
    data, settings = written.getvalue(), PixelSettings((224, 224), "rgb")
    return 1 / _seconds_per_call(lambda: read_pixels(data, settings))


def _training(network: Any) -> float:
    network.compile("adam", "categorical_crossentropy", jit_compile=False)
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (_BATCH, _SIDE, _SIDE, 3)).astype(np.uint8)
    labels = np.eye(10, dtype=np.float32)[np.arange(_BATCH) % 10]
    return _BATCH / _seconds_per_call(lambda: network.train_on_batch(images, labels))


def _prediction(network: Any) -> float:
    info = ModelInfo(tuple(map(str, range(10))), PixelSettings((_SIDE, _SIDE), "rgb"), "softmax")
    image = np.zeros((1, _SIDE, _SIDE, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        write_tflite(network, info, path)
        predictor = predictor_of(path)
        return 1000 * _seconds_per_call(lambda: predictor(image))
