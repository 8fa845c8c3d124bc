"""A config and its dataset enter; the batches of each epoch leave."""

from __future__ import annotations

import math
from typing import Any

from cnnkit.augmentation import Augmentation, build_augmentation
from cnnkit.config import Config
from cnnkit.data.batches import evaluation_batches, training_batches
from cnnkit.data.dataset import ImageDataset
from cnnkit.training.class_weights import class_weights


class Feed:
    """The batches of each epoch.

    Args:
        config: augmentation, batch size, class weights and seed are read.
        dataset: its train split is fed.
        held_out: whose validation split is fed; by default of the same dataset.

    Raises:
        UsageError: a class weight or an augmentation does not fit the data.
    """

    def __init__(
        self, config: Config, dataset: ImageDataset, held_out: ImageDataset | None = None
    ) -> None:
        self.config = config
        self.dataset, self.held_out = dataset, held_out or dataset
        self.augment = build_augmentation(config.augmentation, dataset.settings)
        self._training = dataset.select("train")
        self.class_weights = class_weights(
            config.training.class_weights, dataset.labels[self._training], dataset.class_names
        )
        self._validation = self.held_out.select("validation")
        self.num_images = len(self._training)
        self.steps = math.ceil(self.num_images / config.data.batch_size)

    words = ""  # nothing to add to what a phase says of itself

    def training(self, epoch: int) -> Any:
        """Return the training batches of an epoch."""
        return self.batches_of(self.dataset, epoch, self.augment)

    def validation(self) -> Any:
        """Return the validation batches, or None where there are none."""
        return self.held_out_of(self.held_out) if len(self._validation) else None

    def batches_of(self, images: Any, epoch: int, augment: Augmentation | None) -> Any:
        """Return the training batches of an epoch.

        Args:
            images: the dataset, or what stands for its pixels.
            epoch: counted from 0 over the whole training.
            augment: changes the images.
        """
        return training_batches(
            images,
            self._training,
            epoch=epoch,
            seed=self.config.training.seed,
            augment=augment,
            class_weights=self.class_weights,
            balanced=self.config.training.balanced_sampling,
            **self._common,
        )

    def held_out_of(self, images: Any, split: str = "validation") -> Any:
        """Return the batches of a split, in order; `images` as for `batches_of`."""
        indices = self._validation if split == "validation" else self._training
        return evaluation_batches(images, indices, **self._common)

    @property
    def _common(self) -> dict[str, Any]:
        return {
            "batch_size": self.config.data.batch_size,
            "sigmoid": self.config.model.output == "sigmoid",
        }
