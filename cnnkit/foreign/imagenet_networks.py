"""Networks by name with their ImageNet classifier, converted once and kept in the cache."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.backbone_networks import NETWORKS
from cnnkit.data.pixels import PixelSettings
from cnnkit.foreign.label_files import imagenet_classes
from cnnkit.model.model_info import ModelInfo

Note = Callable[[str], Any]
# Increased when the same network gives another file, so that an older one is not used any more.
_VERSION = 1
_TFLITE_NAME, KERAS_NAME = "model.tflite", "model.keras"


def network_file(name: str, note: Note = warnings.warn) -> Path:
    """Return the `.tflite` of a network; `model.keras` is next to it.

    The first time, the network is built with Keras, its weights are downloaded if needed, and it is
    converted and compared with the original. Later it is ready at once, without TensorFlow.

    Args:
        name: a key of NETWORKS.
        note: called with a sentence before the conversion.

    Raises:
        CnnkitError: the weights cannot be downloaded, or the converted network gives other answers.
    """
    # Not imported by those who only read a file: it needs filelock.
    from cnnkit.data.cache.folder import NETWORKS_FOLDER, cache_folder, folder_made_whole

    folder = cache_folder() / NETWORKS_FOLDER / f"{name}-{_VERSION}"
    if not folder.is_dir():
        note(f"{name} is converted once and kept in {folder}.")
        with folder_made_whole(folder) as fresh:
            _write(name, fresh)
    return folder / _TFLITE_NAME


def is_network_file(path: Path) -> bool:
    """Tell whether a file is what `network_file` returned."""
    folder = path.absolute().parent
    return folder.name.rpartition("-")[0] in NETWORKS and (folder / KERAS_NAME).is_file()


def imagenet_info(name: str) -> ModelInfo:
    """Return the classes of ImageNet and the pixels that a network takes: centre crops."""
    size = NETWORKS[name].default_size
    return ModelInfo(imagenet_classes(), PixelSettings((size, size), resize="crop"), "softmax")


def _write(name: str, folder: Path) -> None:
    from cnnkit.export.golden import Golden, check_parity
    from cnnkit.export.tflite_file import write_tflite
    from cnnkit.model.backbones.imagenet_classifiers import imagenet_classifier
    from cnnkit.runtimes import predictor_of

    model, info = imagenet_classifier(name), imagenet_info(name)
    model.save(folder / KERAS_NAME)
    path = folder / _TFLITE_NAME
    write_tflite(model, info, path)
    pixels = _test_pixels(info.pixels.shape)
    expected = np.asarray(model(pixels, training=False))
    check_parity(predictor_of(path), Golden(pixels, expected, np.arange(len(pixels)).astype(str)))


def _test_pixels(shape: tuple[int, ...]) -> np.ndarray:
    """Return four uint8 images that differ much: coarse noise of four strengths."""
    height, width, channels = shape
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (4, 8, 8, channels))
    large = coarse.repeat(-(-height // 8), axis=1).repeat(-(-width // 8), axis=2)
    strengths = np.array([1.0, 0.7, 0.4, 0.1]).reshape(4, 1, 1, 1)
    return (large[:, :height, :width] * strengths).astype(np.uint8)
