"""Gradients of the score of a class with respect to pixels, or to what a layer gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import UsageError
from cnnkit.explanation.target import Target
from cnnkit.explore.features.model_graph import Step, run_steps


@dataclass(frozen=True, eq=False)
class ScoredGraph:
    """A model and the question that is asked.

    The score is the logit of the class, or the difference of two logits. One sigmoid unit z counts
    as the two logits -z/2 and z/2, which softmax turns into the same probabilities.

    Args:
        steps: the graph of the model, from `steps_of`.
        target: the class, and perhaps another one that it is compared with.
    """

    steps: Sequence[Step]
    target: Target

    def scores(self, images: NDArray) -> NDArray:
        """Return the scores (num_images,) of images (num_images, height, width, channels)."""
        return np.asarray(self._scores(run_steps(self.steps, _floats(images), before=True)))

    def image_gradients(self, images: NDArray) -> NDArray:
        """Return the gradients with respect to the pixels, with the shape of the images.

        Raises:
            UsageError: the model has none.
        """
        return self._gradients(images, 0)[1]

    def layer_gradients(self, image: NDArray, position: int) -> tuple[NDArray, NDArray]:
        """Return (activations, gradients), both (height, width, num_maps), of a layer.

        Args:
            image: (height, width, channels).
            position: of the layer in the graph.

        Raises:
            UsageError: there are no gradients.
        """
        activations, gradients = self._gradients(image[None], position)
        return activations[0], gradients[0]

    def _gradients(self, images: NDArray, position: int) -> tuple[NDArray, NDArray]:
        from cnnkit.backend import tf

        with tf.GradientTape() as tape:
            pixels = _floats(images)
            tape.watch(pixels)
            tensors = run_steps(self.steps, pixels, also=[position], before=True)
            # Images do not influence each other, so one sum gives the slope of each of them.
            total = tf.reduce_sum(self._scores(tensors))
        gradients = tape.gradient(total, tensors[position])
        if gradients is None:
            raise UsageError(
                f"No gradient leads from the answer of this model to {self._name(position)}. "
                "Use --method occlusion, which needs none."
            )
        return np.asarray(tensors[position]), np.asarray(gradients)

    def _name(self, position: int) -> str:
        return f"the layer {self.steps[position].name}" if position else "the image"

    def _scores(self, tensors: list[Any]) -> Any:
        from cnnkit.backend import tf

        logits = tf.cast(tensors[-1], tf.float32)
        if logits.shape[1] == 1:
            logits = tf.concat([-logits / 2, logits / 2], axis=1)
        return self.target.of(logits)


def _floats(images: NDArray) -> Any:
    from cnnkit.backend import tf

    return tf.constant(np.asarray(images, np.float32))
