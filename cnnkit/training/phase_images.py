"""The batches of images that a phase learns from and is validated on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnkit.augmentation import Augmentation, build_augmentation
from cnnkit.config import Config
from cnnkit.data.batches import evaluation_batches, training_batches
from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import UsageError
from cnnkit.training.class_weights import class_weights


class ImageBatches:
    """The batches of each epoch.

    Args:
        config: its augmentation, batch size, class weights and seed are used.
        dataset: whose train split is learned from.
        validation_dataset: whose validation split is used; by default the same data set's.
        parts: into which training batches are split later; validation batches are smaller instead.

    Raises:
        UsageError: a weight or an augmentation does not fit the data.
    """

    description = ""  # of the features, in messages: there are none here

    def __init__(
        self,
        config: Config,
        dataset: ImageDataset,
        validation_dataset: ImageDataset | None = None,
        *,
        parts: int = 1,
    ) -> None:
        self.config = config
        self.dataset, self.validation_dataset = dataset, validation_dataset or dataset
        self.augment = build_augmentation(config.augmentation, dataset.settings)
        self.batch_size = config.data.batch_size
        self.part_size = math.ceil(self.batch_size / parts)
        self.machine = (0, 1)  # the number of this one, and how many share each batch
        self._training = dataset.select("train")
        self._validation = self.validation_dataset.select("validation")
        self.weights = self._weights(config)
        self._sigmoid = config.model.output == "sigmoid"
        self.num_images = len(self._training)
        self.num_validation_images = len(self._validation)
        # The last batch of an epoch is smaller, so that every image is seen.
        self.steps = math.ceil(self.num_images / self.batch_size)

    def _weights(self, config: Config) -> np.ndarray | None:
        """Return how much each image of the data set counts: by its class and its own weight."""
        dataset, found = self.dataset, self.dataset.weights
        if found is not None and not found[self._training].any():
            raise UsageError(
                f"data.weight_column: {config.data.weight_column} is 0 for all training images, so "
                "there is nothing to learn."
            )
        of_classes = class_weights(
            config.training.class_weights, dataset.labels[self._training], dataset.class_names
        )
        if of_classes is not None:
            of_images = of_classes[dataset.labels]
            found = of_images if found is None else of_images * found
        return found

    @property
    def num_feature_images(self) -> int:
        """How many images go through a backbone whose features are cached; each view counts."""
        views = max(1, self.config.training.feature_views)
        return views * self.num_images + self.num_validation_images

    def training(self, epoch: int, first_step: int = 0) -> Any:
        """Return the training batches of an epoch from a step on; both count from 0.

        The epoch counts over all phases.
        """
        return self.training_from(self.dataset, epoch, self.augment, first_step)

    def validation(self) -> Any:
        """Return the validation batches, or None if there are no validation images."""
        if not len(self._validation):
            return None
        return self.in_order(self.validation_dataset, "validation")

    def training_from(
        self, source: Any, epoch: int, augment: Augmentation | None, first_step: int = 0
    ) -> Any:
        """Return the training batches of an epoch, with pixels or features.

        Args:
            source: the data set, or an object that has features where a data set has pixels.
            epoch: from 0, over all phases; the order and the augmentation depend on it.
            augment: changes the images.
            first_step: the batches before it are left out.
        """
        return training_batches(
            source,
            self._training,
            epoch=epoch,
            first_step=first_step,
            seed=self.config.training.seed,
            augment=augment,
            weights=self.weights,
            balanced=self.config.training.balanced_sampling,
            batch_size=self.batch_size,
            sigmoid=self._sigmoid,
            machine=self.machine,
        )

    def in_order(self, source: Any, split: str) -> Any:
        """Return the batches of `train` or `validation` in the order of the images, unchanged."""
        indices = self._validation if split == "validation" else self._training
        return evaluation_batches(
            source,
            indices,
            batch_size=self.part_size,
            sigmoid=self._sigmoid,
            machine=self.machine,
        )
