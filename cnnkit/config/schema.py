"""A whole config: all sections together."""

from __future__ import annotations

from pydantic import Field

from cnnkit.config.calls import Augmentations
from cnnkit.config.data_section import DataConfig
from cnnkit.config.model_section import ModelConfig
from cnnkit.config.runtime_section import RuntimeConfig
from cnnkit.config.search_section import Search
from cnnkit.config.training_section import TrainingConfig
from cnnkit.config.values import Section


class Config(Section):
    """One training: its data, augmentation, model and training."""

    data: DataConfig = Field(description="Where the images come from and how they become pixels.")
    augmentation: Augmentations = Field(
        (), description="Random changes of the training images, in this order."
    )
    model: ModelConfig = Field(description="The layers between the pixels and the probabilities.")
    training: TrainingConfig = Field(TrainingConfig(), description="How the weights are trained.")
    runtime: RuntimeConfig = Field(RuntimeConfig(), description="On what a training computes.")
    search: Search = Field(
        {}, description="Keys of this config with the values that `cnnkit tune` tries for them."
    )

    def without_search(self) -> Config:
        """Return the config of a single training."""
        return self.model_copy(update={"search": {}})

    @property
    def loss_name(self) -> str:
        """Keras's name of the loss."""
        if self.training.loss is not None:
            return self.training.loss.name
        return f"{_LOSS_OF_OUTPUT[self.model.output]}_crossentropy"

    def loss_fits_output(self) -> bool:
        """Return whether `training.loss` goes with `model.output`."""
        return self.loss_name.startswith(_LOSS_OF_OUTPUT[self.model.output])


_LOSS_OF_OUTPUT = {"softmax": "categorical", "sigmoid": "binary"}
