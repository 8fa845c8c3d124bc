"""Compute the features of a backbone that does not learn, or find them in the cache."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.backend import keras, tf
from cnnkit.config import Config
from cnnkit.data.cache.feature_rows import FeatureRows, feature_rows
from cnnkit.data.dataset import ImageDataset
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.progress import Report
from cnnkit.training.learning_layers import backbone_of
from cnnkit.training.phase_images import ImageBatches
from cnnkit.training.time_left import Pace

_BATCH = 32  # always the same, so that the features do not depend on data.batch_size
_WITHOUT_WEIGHTS = (
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "AveragePooling2D",
    "MaxPooling2D",
    "Flatten",
)


def split_model(model: Any, *, before_output: bool = False) -> tuple[Any, Any]:
    """Split a model into two that share its weights: pixels to features, features to output.

    Pooling and flattening right after the backbone are part of the first model, because their
    results are smaller and take less room in the cache.

    Args:
        model: of `build_model`, with a backbone.
        before_output: split right before the output layer instead.
    """
    tensor = model.layers[-1].input if before_output else _pooled_features(model)
    return keras.Model(model.input, tensor), keras.Model(tensor, model.output, name="head")


def _pooled_features(model: Any) -> Any:
    """Return the output of the backbone, or of the layers that only pool or flatten it."""
    first = model.layers[model.layers.index(backbone_of(model)) + 1]
    tensor = keras.tree.flatten(first.input)[0]
    while True:
        readers = [
            layer
            for layer in model.layers
            # The input of a layer such as `add` is a list of tensors.
            if any(tensor is one for one in keras.tree.flatten(layer.input))
        ]
        # With two readers the head branches here, so both branches must get the same tensor.
        if len(readers) != 1 or type(readers[0]).__name__ not in _WITHOUT_WEIGHTS:
            return tensor
        tensor = readers[0].output


@dataclass(frozen=True, eq=False)
class Features:
    """The features of some images of a data set; batches are made of them as of pixels."""

    dataset: ImageDataset
    indices: np.ndarray
    found: FeatureRows

    @property
    def labels(self) -> np.ndarray:
        """Labels of all images of the data set."""
        return self.dataset.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names in label order."""
        return self.dataset.class_names

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the features of one image."""
        return self.found.array.shape[1:]

    dtype = np.float32

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        """Return the features of images, float32 (len(indices), ...)."""
        return self.found.read(np.searchsorted(self.indices, indices))


class BackboneFeatures:
    """Computes the features of a split, or reads them from the cache.

    Args:
        batches: the images, their augmentation and their config.
        extractor: the model from pixels to features.
        report: shows the progress.
    """

    def __init__(self, batches: ImageBatches, extractor: Any, report: Report) -> None:
        self._batches, self._report = batches, report
        self._fingerprint = _fingerprint(extractor, batches)
        self._run = tf.function(lambda images: extractor(images, training=False), autograph=False)
        self.num_computed = 0
        self.pace = Pace(skipped=1)  # of computing features, reading the images included

    def of_split(self, split: str, view: int | None) -> Features | None:
        """Return the features of a split, None if it has no images.

        Args:
            split: `train` or `validation`.
            view: the number of an augmented version of the images; None for the images as they are.

        Raises:
            DataError: the cache folder has no room for them.
        """
        config = self._batches.config
        is_train = split == "train"
        dataset = self._batches.dataset if is_train else self._batches.validation_dataset
        indices = dataset.select(split)
        if not len(indices):
            return None
        hashes = [dataset.samples[index].sha256 for index in indices]

        def compute(positions: np.ndarray) -> np.ndarray:
            return self._timed(dataset, indices[positions], view)

        with self._report.counting("computing features") as progress:
            found = feature_rows(
                self._key(view),
                hashes,
                compute,
                about={"backbone": _label(config), "view": view},
                on_disk=config.data.cache in ("auto", "disk"),
                limit_gb=config.data.cache_limit_gb,
                note=self._report.note,
                progress=progress,
            )
        self.num_computed += found.num_computed
        return Features(dataset, indices, found)

    def measure(self, seconds: float) -> None:
        """Compute features of training images for some time and keep none of them.

        Args:
            seconds: after which the measuring ends; at least one batch is measured.
        """
        dataset = self._batches.dataset
        indices, begin = dataset.select("train")[:_BATCH], time.perf_counter()
        while not self.pace.steps or time.perf_counter() - begin < seconds:
            self._timed(dataset, indices, None)

    def _timed(self, dataset: ImageDataset, indices: np.ndarray, view: int | None) -> np.ndarray:
        begin = time.perf_counter()
        features = self._in_batches(self.images(dataset, indices, view))
        self.pace.add(len(indices), time.perf_counter() - begin)
        return features

    def images(self, dataset: ImageDataset, indices: np.ndarray, view: int | None) -> np.ndarray:
        """Return the pixels of images, augmented unless `view` is None."""
        images, augment = dataset.pixels(indices), self._batches.augment
        if view is None or augment is None:
            return images
        hashes = [dataset.samples[index].sha256 for index in indices]
        occurrences = np.zeros(len(images), np.int64)
        keys = augment.keys(self._batches.config.training.seed, view, hashes, occurrences)
        return np.asarray(augment.in_graph(augment.on_host(images, keys), tf.constant(keys)))

    def _in_batches(self, images: np.ndarray) -> np.ndarray:
        """Return the features of images.

        The last batch is filled up: with another size TensorFlow may round differently, and the
        features of an image would depend on its place among the others.
        """
        parts = []
        for start in range(0, len(images), _BATCH):
            part = images[start : start + _BATCH]
            filled = np.concatenate([part, np.repeat(part[-1:], _BATCH - len(part), axis=0)])
            parts.append(self._run(tf.constant(filled)).numpy()[: len(part)])
        return np.concatenate(parts).astype(np.float32, copy=False)

    def _key(self, view: int | None) -> str:
        """Return the name of the cache entry: a hash of everything but the images."""
        facts: dict[str, Any] = {"model": self._fingerprint}
        if view is not None:
            config = self._batches.config
            calls = [call.to_yaml() for call in config.augmentation]
            facts |= {"augmentation": calls, "seed": config.training.seed, "view": view}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _label(config: Config) -> str:
    """Return a short readable label for a cache entry: the backbone and the image size."""
    given = [f"{key}: {value}" for key, value in config.model.backbone.as_given().items()]
    return f"{', '.join(given)}, {' x '.join(map(str, config.data.image_size))}"


def _fingerprint(extractor: Any, batches: ImageBatches) -> str:
    """Return a hash of all that features depend on except the images: layers, weights, pixels."""
    found = hashlib.sha256()
    layers = [
        (type(layer).__name__, {**layer.get_config(), "name": ""})
        for layer in layers_of(extractor)
        if "Dropout" not in type(layer).__name__  # it does nothing in inference
    ]
    # Where the weights come from does not matter: their values are hashed below.
    section = batches.config.model.backbone.model_dump(exclude={"run", "file", "hub", "weights"})
    settings = batches.dataset.settings.to_dict()
    # Another version of TensorFlow may round differently.
    facts = [layers, section, settings, extractor.output_shape, tf.__version__]
    found.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for variable in extractor.weights:  # these do not include the states of random numbers
        found.update(np.ascontiguousarray(variable.numpy()))
    return found.hexdigest()
