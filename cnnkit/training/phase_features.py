"""The batches that a head learns from while its backbone does not: features in place of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnkit.backend import tf
from cnnkit.errors import CnnkitError
from cnnkit.progress import Report
from cnnkit.training.backbone_features import BackboneFeatures
from cnnkit.training.phase_images import ImageBatches

_CHECKED_IMAGES = 16
_LARGEST_DIFFERENCE = 1e-3  # of a probability; rounding gives about 1e-6


class ComputedFeatureBatches:
    """The batches of each epoch, with features that are computed again in every epoch.

    Args:
        batches: of the images.
        extractor: the model from pixels to features.
    """

    description = " on features computed in every epoch"

    def __init__(self, batches: ImageBatches, extractor: Any) -> None:
        self.batch_size, self.num_images = batches.batch_size, batches.num_images
        self.steps = batches.steps
        self._images = batches
        # A function, so that the graph of the backbone is built once and not in every epoch.
        self._features = tf.function(lambda images: extractor(images, training=False))

    def training(self, epoch: int, first_step: int = 0) -> Any:
        """Return the training batches of an epoch from a step on."""
        return self._with_features(self._images.training(epoch, first_step))

    def validation(self) -> Any:
        """Return the validation batches, or None if there are no validation images."""
        batches = self._images.validation()
        return None if batches is None else self._with_features(batches)

    def _with_features(self, batches: Any) -> Any:
        return batches.map(lambda images, *rest: (self._features(images), *rest))


class CachedFeatureBatches:
    """The batches of each epoch, with features that are computed once and cached.

    `training.feature_views` asks for several views: augmented versions of every image.

    Args:
        batches: of the images; their order, labels and weights are used.
        extractor: the model from pixels to features.
        report: shows how many features are computed.

    Raises:
        DataError: the cache folder has no room for them.
    """

    def __init__(self, batches: ImageBatches, extractor: Any, report: Report) -> None:
        self.batch_size, self.num_images = batches.batch_size, batches.num_images
        self.steps = batches.steps
        self._images = batches
        number = batches.config.training.feature_views
        features = self._features = BackboneFeatures(batches, extractor, report)
        views = range(number) if number else [None]
        self._views = [features.of_split("train", view) for view in views]
        self._validation = features.of_split("validation", None)
        # Made once: a pipeline costs as much time as training a small head for some steps.
        self._validation_batches = (
            batches.in_order(self._validation, "validation") if self._validation else None
        )
        views_text = "" if len(self._views) == 1 else f" of {number} views"
        new = f" ({features.num_computed:,} newly computed)" if features.num_computed else ""
        self.description = f" on cached features{views_text}{new}"

    def training(self, epoch: int, first_step: int = 0) -> Any:
        """Return the training batches of an epoch from a step on; the views take turns."""
        view = self._views[epoch % len(self._views)]
        return self._images.training_from(view, epoch, None, first_step)

    def validation(self) -> Any:
        """Return the validation batches, or None if there are no validation images."""
        return self._validation_batches

    def training_in_order(self) -> Any:
        """Return the training images of the first view in order, like validation batches."""
        return self._images.in_order(self._views[0], "train")

    @property
    def seconds(self) -> float | None:
        """How long computing all features takes; None if they were in the cache already."""
        each = self._features.pace.seconds_per_image
        return None if each is None else each * self._images.num_feature_images

    def check(self, model: Any, head: Any) -> float:
        """Compare the head on cached features with the whole model, and return the difference.

        It is the largest difference of a probability over up to 16 images.

        Args:
            model: the whole model, from pixels to probabilities.
            head: the part of it that was trained.

        Raises:
            CnnkitError: the difference is larger than rounding explains.
        """
        # Validation features are those of the images as they are; the first view may not be.
        views = self._images.config.training.feature_views
        view = None if self._validation or not views else 0
        features = self._validation or self._views[0]
        indices = features.indices[:_CHECKED_IMAGES]
        images = self._features.images(features.dataset, indices, view)
        whole = model(images, training=False)
        part = head(features.pixels(indices), training=False)
        difference = float(np.max(np.abs(np.asarray(whole) - np.asarray(part))))
        # Not `>`: a difference that is NaN must be refused too.
        if not difference <= _LARGEST_DIFFERENCE:
            raise CnnkitError(
                "The head on cached features gives other probabilities than the whole model (the "
                f"difference is up to {difference:.2g}), so this run cannot be used. Remove the "
                "cached features with cnnkit cache clear, or set training.feature_cache: false, "
                "and train again."
            )
        return difference

    def weights(self) -> np.ndarray | None:
        """Return how much each row of `arrays("train")` counts, or None if all count alike."""
        weights = self._images.weights
        return (
            None if weights is None else np.tile(weights[self._views[0].indices], len(self._views))
        )

    def arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the features float32 (num_images, ...) and labels of `train` or `validation`.

        Those of `train` have the images of all views.
        """
        parts = self._views if split == "train" else [self._validation]
        features = np.concatenate([part.pixels(part.indices) for part in parts if part])
        labels = np.concatenate([part.labels[part.indices] for part in parts if part])
        return features, labels


PhaseBatches = ImageBatches | ComputedFeatureBatches | CachedFeatureBatches
