"""A model whose backbone does not learn enters; its head and the batches of features leave."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.backend import keras, tf
from cnnkit.config import Config
from cnnkit.data.cache.feature_rows import FeatureRows, feature_rows
from cnnkit.data.dataset import ImageDataset
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.progress import Report
from cnnkit.training.image_batches import Feed
from cnnkit.training.phases import backbone_of

_BATCH = 32
_CHECKED = 16  # images
_WITHOUT_WEIGHTS = (
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "AveragePooling2D",
    "MaxPooling2D",
    "Flatten",
)


def split_model(model: Any, *, before_output: bool = False) -> tuple[Any, Any]:
    """Return the model up to its features, and the rest of it, which shares its weights.

    Pooling and flattening behind the backbone belong to the features: there is less to keep.

    Args:
        model: of `build_model`, with a backbone.
        before_output: let all that lies before the output layer belong to the features.
    """
    tensor = model.layers[-1].input if before_output else _pooled_features(model)
    return keras.Model(model.input, tensor), keras.Model(tensor, model.output, name="head")


def _pooled_features(model: Any) -> Any:
    """Return the tensor behind the backbone, or behind what alone pools or flattens that."""
    first = model.layers[model.layers.index(backbone_of(model)) + 1]
    tensor = keras.tree.flatten(first.input)[0]
    while True:
        readers = [
            layer
            for layer in model.layers
            if any(tensor is one for one in keras.tree.flatten(layer.input))
        ]
        if len(readers) != 1 or type(readers[0]).__name__ not in _WITHOUT_WEIGHTS:
            return tensor
        tensor = readers[0].output


@dataclass(frozen=True, eq=False)
class _Features:
    """Features of some samples of a dataset, in the place of their pixels."""

    dataset: ImageDataset
    indices: np.ndarray
    found: FeatureRows

    @property
    def labels(self) -> np.ndarray:
        return self.dataset.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.dataset.class_names

    @property
    def shape(self) -> tuple[int, ...]:
        return self.found.array.shape[1:]

    dtype = np.float32

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        """Return float32 (len(indices), ...)."""
        return self.found.read(np.searchsorted(self.indices, indices))


class LoopFeed:
    """The batches of each epoch, their features computed anew.

    Args:
        feed: of the images, augmented.
        extractor: the model up to the features.
    """

    words = ", from features that each epoch computes"

    def __init__(self, feed: Feed, extractor: Any) -> None:
        self.config, self.num_images, self.steps = feed.config, feed.num_images, feed.steps
        self._feed, self._extractor = feed, extractor

    def training(self, epoch: int) -> Any:
        """Return the training batches of an epoch."""
        return self._with_features(self._feed.training(epoch))

    def validation(self) -> Any:
        """Return the validation batches, or None where there are none."""
        batches = self._feed.validation()
        return None if batches is None else self._with_features(batches)

    def _with_features(self, batches: Any) -> Any:
        return batches.map(lambda images, *rest: (self._extractor(images, training=False), *rest))


class FeatureFeed:
    """The batches of each epoch, with features in the place of pixels.

    Args:
        feed: of the images; its order, labels and weights stay.
        extractor: the model up to the features.
        report: is told how many features are computed.

    Raises:
        DataError: the cache folder has no room for them.
    """

    def __init__(self, feed: Feed, extractor: Any, report: Report) -> None:
        self.config, self.num_images, self.steps = feed.config, feed.num_images, feed.steps
        self._feed = feed
        number = feed.config.training.feature_views
        computing = self._computing = _Computing(feed, extractor, report)
        self._views = [
            computing.features("train", view) for view in (range(number) if number else [None])
        ]
        self._validation = computing.features("validation", None)
        views = "" if len(self._views) == 1 else f" of {number} views"
        computed = f", {computing.num_computed:,} of them new" if computing.num_computed else ""
        self.words = f", from kept features{views}{computed}"

    def training(self, epoch: int) -> Any:
        """Return the training batches of an epoch; views take turns."""
        return self._feed.batches_of(self._views[epoch % len(self._views)], epoch, None)

    def validation(self) -> Any:
        """Return the validation batches, or None where there are none."""
        return self._feed.held_out_of(self._validation) if self._validation else None

    def in_order(self) -> Any:
        """Return the training images of the first view, as validation batches are."""
        return self._feed.held_out_of(self._views[0], "train")

    def difference(self, model: Any, head: Any) -> float:
        """Return the largest difference of a probability between a model and its head.

        The model has the pixels of up to 16 images, the head their features.
        """
        view = (
            None if self._validation else (0 if self._feed.config.training.feature_views else None)
        )
        part = self._validation or self._views[0]
        indices = part.indices[:_CHECKED]
        images = self._computing.images(part.dataset, indices, view)
        whole, own = model(images, training=False), head(part.pixels(indices), training=False)
        return float(np.max(np.abs(np.asarray(whole) - np.asarray(own))))

    def label_weights(self) -> np.ndarray | None:
        """Return the weight of each class, or None where all count alike."""
        weights = self._feed.class_weights
        return None if weights is None else np.asarray(weights)

    def arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return all features float32 (num_images, ...) and labels of `train` or `validation`."""
        parts = self._views if split == "train" else [self._validation]
        features = np.concatenate([part.pixels(part.indices) for part in parts if part])
        labels = np.concatenate([part.labels[part.indices] for part in parts if part])
        return features, labels


class _Computing:
    """Computes the features of splits and views, or finds those that were kept."""

    def __init__(self, feed: Feed, extractor: Any, report: Report) -> None:
        self._feed, self._report = feed, report
        self._extractor = extractor
        self._fingerprint = _fingerprint(extractor, feed)
        self._run = tf.function(lambda images: extractor(images, training=False))
        self.num_computed = 0

    def features(self, split: str, view: int | None) -> _Features | None:
        config = self._feed.config
        dataset = self._feed.dataset if split == "train" else self._feed.held_out
        indices = dataset.select(split)
        if not len(indices):
            return None
        hashes = [dataset.samples[index].sha256 for index in indices]

        def compute(positions: np.ndarray) -> np.ndarray:
            return self._in_batches(self.images(dataset, indices[positions], view))

        with self._report.counting("computing features") as progress:
            found = feature_rows(
                self._key(view),
                hashes,
                compute,
                about={"backbone": _about(config), "view": view},
                on_disk=config.data.cache in ("auto", "disk"),
                limit_gb=config.data.cache_limit_gb,
                note=self._report.note,
                progress=progress,
            )
        self.num_computed += found.num_computed
        return _Features(dataset, indices, found)

    def images(self, dataset: ImageDataset, indices: np.ndarray, view: int | None) -> np.ndarray:
        """Return the pixels of samples, augmented where a view is asked for."""
        images, augment = dataset.pixels(indices), self._feed.augment
        if view is None or augment is None:
            return images
        hashes = [dataset.samples[index].sha256 for index in indices]
        occurrences = np.zeros(len(images), np.int64)
        keys = augment.keys(self._feed.config.training.seed, view, hashes, occurrences)
        return np.asarray(augment.in_graph(augment.on_host(images, keys), tf.constant(keys)))

    def _in_batches(self, images: np.ndarray) -> np.ndarray:
        """Return features; the last batch is filled up, so that all have one size."""
        parts = []
        for start in range(0, len(images), _BATCH):
            part = images[start : start + _BATCH]
            filled = np.concatenate([part, np.repeat(part[-1:], _BATCH - len(part), axis=0)])
            parts.append(self._run(tf.constant(filled)).numpy()[: len(part)])
        return np.concatenate(parts).astype(np.float32, copy=False)

    def _key(self, view: int | None) -> str:
        facts: dict[str, Any] = {"model": self._fingerprint}
        if view is not None:
            calls = [call.to_yaml() for call in self._feed.config.augmentation]
            facts |= {"augmentation": calls, "seed": self._feed.config.training.seed, "view": view}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _about(config: Config) -> str:
    """Return what a person knows the features of a config by."""
    given = [f"{key}: {value}" for key, value in config.model.backbone.as_given().items()]
    return f"{', '.join(given)}, {' x '.join(map(str, config.data.image_size))}"


def _fingerprint(extractor: Any, feed: Feed) -> str:
    """Return a hash of all that features depend on but the images: layers, weights, pixels."""
    found = hashlib.sha256()
    layers = [
        (type(layer).__name__, {**layer.get_config(), "name": ""})
        for layer in layers_of(extractor)
        if "Dropout" not in type(layer).__name__  # it does nothing here
    ]
    section = feed.config.model.backbone.model_dump(exclude={"run", "file", "hub", "weights"})
    settings = feed.dataset.settings.to_dict()
    facts = [layers, section, settings, extractor.output_shape, tf.__version__]
    found.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for variable in extractor.weights:  # without the states of random numbers
        found.update(np.ascontiguousarray(variable.numpy()))
    return found.hexdigest()
