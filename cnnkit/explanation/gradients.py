"""Gradients of the score of a class with respect to pixels, or to what a layer gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import UsageError
from cnnkit.explanation.target import Target
from cnnkit.explore.features.model_graph import Step, run_steps


@dataclass(frozen=True, eq=False)
class ModelGradients:
    """The gradients of a model. Keep it for all images, because compiling it takes seconds.

    The score is the logit of the class, or the difference of two logits. One sigmoid unit z counts
    as the two logits -z/2 and z/2, which softmax turns into the same probabilities.

    Args:
        steps: the graph of the model, from `steps_of`.
    """

    steps: Sequence[Step]

    def of_images(self, images: NDArray, target: Target) -> tuple[NDArray, NDArray]:
        """Return the scores (num_images,) and their gradients, with the shape of the images.

        Args:
            images: (num_images, height, width, channels), levels 0 to 255.
            target: the class, and perhaps another one that it is compared with.

        Raises:
            UsageError: the model has no gradients.
        """
        # For a single image, compiling takes longer than what it saves.
        run = self._compiled if len(images) > 1 else self._of_images
        scores, gradients = run(_floats(images), *_labels(target))
        return np.asarray(scores), self._array(gradients, 0)

    def of_layer(self, image: NDArray, target: Target, position: int) -> tuple[NDArray, NDArray]:
        """Return (activations, gradients), both (height, width, num_maps), of a layer.

        Args:
            image: (height, width, channels).
            target: as above.
            position: of the layer in the graph.

        Raises:
            UsageError: there are no gradients.
        """
        found = self._computed(_floats(image[None]), *_labels(target), position)
        _, activations, gradients = found
        return np.asarray(activations)[0], self._array(gradients, position)[0]

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        """The same as `_of_images`, several times as fast for networks with many layers."""
        from cnnkit.backend import tf

        images = tf.TensorSpec((None, *self.steps[0].shape), tf.float32)
        label = tf.TensorSpec((), tf.int32)
        return tf.function(self._of_images, [images, label, label], autograph=False)

    def _of_images(self, images: Any, label: Any, against: Any) -> tuple[Any, Any]:
        scores, _, gradients = self._computed(images, label, against, 0)
        return scores, gradients

    def _computed(self, images: Any, label: Any, against: Any, position: int) -> tuple[Any, ...]:
        """Return (scores, tensor of a step, gradients with respect to it); all are tensors."""
        from cnnkit.backend import tf

        with tf.GradientTape() as tape:
            tape.watch(images)
            tensors = run_steps(self.steps, images, also=[position], before=True)
            logits = tf.cast(tensors[-1], tf.float32)
            if logits.shape[1] == 1:
                logits = tf.concat([-logits / 2, logits / 2], axis=1)
            # There is no class -1: of its label, one_hot makes zeros.
            signs = tf.one_hot(label, logits.shape[1]) - tf.one_hot(against, logits.shape[1])
            scores = tf.linalg.matvec(logits, signs)
            # Images do not influence each other, so one sum gives the slope of each of them.
            total = tf.reduce_sum(scores)
        return scores, tensors[position], tape.gradient(total, tensors[position])

    def _array(self, gradients: Any, position: int) -> NDArray:
        if gradients is None:
            name = f"the layer {self.steps[position].name}" if position else "the image"
            raise UsageError(
                f"No gradient leads from the answer of this model to {name}. Use --method "
                "occlusion, which needs none."
            )
        return np.asarray(gradients)


def _labels(target: Target) -> tuple[Any, Any]:
    from cnnkit.backend import tf

    against = -1 if target.against is None else target.against
    return tf.constant(target.label), tf.constant(against)


def _floats(images: NDArray) -> Any:
    from cnnkit.backend import tf

    return tf.constant(np.asarray(images, np.float32))
