"""What one batch of training images tells about a network before it is trained."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.backend import keras, tf
from cnnkit.model.losses import cross_entropy_of
from cnnkit.text import first_few
from cnnkit.training.phase_images import ImageBatches

_TOO_LARGE = 3.0  # times the loss of guessing, and 1 more; sound networks have up to 2 times
_STEPS = 60  # with one batch
_LEARNED = 0.8  # of the first loss: a batch whose loss stays above is not learned
_FEWEST_STEPS = 20  # after which that can be said


@dataclass(frozen=True)
class FirstBatch:
    """A batch that went through an untrained network, forwards and backwards.

    Args:
        loss: the mean cross-entropy.
        num_classes: whose guessing has the loss ln(num_classes).
        dead: the names of ReLU layers that give 0 for all images of the batch.
        without_gradient: the first variable that should learn, if its gradient is 0 everywhere.
        not_finite: variables whose gradient has NaN or infinite numbers.
    """

    loss: float
    num_classes: int
    dead: tuple[str, ...]
    without_gradient: str
    not_finite: tuple[str, ...]

    @property
    def guessing(self) -> float:
        """The loss of guessing."""
        return math.log(self.num_classes)

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for everything that is wrong."""
        if text := untrained_loss_warning(self.loss, self.num_classes):
            yield text
        yield from self.gradient_warnings()

    def gradient_warnings(self) -> Iterator[str]:
        """Yield a sentence for each reason why layers cannot learn."""
        if self.dead:
            yield (
                f"The ReLU of {first_few(self.dead)} gives 0 for every image of the first batch, "
                "so that nothing before it can learn. Check its kernel_initializer and "
                "bias_initializer."
            )
        if self.without_gradient:
            yield (
                f"No gradient reaches {self.without_gradient}, the first weights that should "
                "learn: they will stay as they are. A layer after it blocks the gradient."
            )
        if self.not_finite:
            yield (
                f"The gradient of {first_few(self.not_finite)} is NaN or infinite on the first "
                "batch: the training would fail in its first step."
            )


def untrained_loss_warning(loss: float, num_classes: int) -> str:
    """Return a sentence if the first loss is far above that of guessing, otherwise "".

    An untrained network should give all classes about the same probability: a cross-entropy of
    ln(num_classes), also with label smoothing. Class weights are not part of the loss that is
    compared.

    >>> untrained_loss_warning(2.4, 10)
    ''
    """
    guessing = math.log(max(2, num_classes))
    if loss <= _TOO_LARGE * guessing + 1:
        return ""
    return (
        f"The loss of the first batch is {loss:.2f}, but guessing gives {guessing:.2f}: the "
        "untrained network is very sure, and wrong. Its first epochs will go into unlearning that. "
        "A batch_norm before the last layers, or a smaller initializer, helps."
    )


def sample_batch(images: ImageBatches, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return training images without augmentation, and their targets.

    Args:
        images: of a phase.
        size: how many images there should be; they are spread over the whole split.
    """
    indices = images.dataset.select("train")
    places = np.linspace(0, len(indices) - 1, min(size, len(indices))).round().astype(int)
    chosen = indices[places]
    labels, num_classes = images.dataset.labels[chosen], len(images.dataset.class_names)
    if images.config.model.output == "sigmoid":
        targets = labels[:, None].astype(np.float32)
    else:
        targets = np.eye(num_classes, dtype=np.float32)[labels]
    return images.dataset.pixels(chosen), targets


def look_at_batch(model: Any, inputs: Any, targets: np.ndarray) -> FirstBatch:
    """Return what happens to a batch. No weight and no random state of the model changes.

    Args:
        model: what is trained: the whole model or its head; not compiled, or compiled.
        inputs: images or features.
        targets: one-hot, or (images, 1) for one sigmoid unit.
    """
    relus = _relu_layers(model)
    watched = keras.Model(model.input, [*(layer.output for layer in relus), model.output])
    # As in training, because batch normalisation that has seen no image yet normalises nothing.
    # What that changes is put back: averages, and the states of random numbers.
    states = [(v, v.numpy()) for v in model.variables if not v.trainable]
    with tf.GradientTape() as tape:
        *maps, probabilities = keras.tree.flatten(watched(inputs, training=True))
        loss = tf.reduce_mean(_cross_entropy(targets, probabilities))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, value in states:
        variable.assign(value)
    pairs = list(zip(model.trainable_variables, gradients, strict=True))
    first, gradient = pairs[0]
    return FirstBatch(
        float(loss),
        max(2, targets.shape[1]),
        tuple(
            layer.name for layer, map_ in zip(relus, maps, strict=True) if not np.any(map_.numpy())
        ),
        first.path if gradient is None or not np.any(_numbers(gradient)) else "",
        tuple(v.path for v, g in pairs if g is not None and not np.isfinite(_numbers(g)).all()),
    )


def _numbers(gradient: Any) -> np.ndarray:
    return tf.convert_to_tensor(gradient).numpy()


def _cross_entropy(targets: np.ndarray, probabilities: Any) -> Any:
    if targets.shape[1] == 1:
        return keras.losses.binary_crossentropy(targets, probabilities)
    return keras.losses.categorical_crossentropy(targets, probabilities)


def _relu_layers(model: Any) -> list[Any]:
    # The layers of a head also belong to the whole model, whose tensors have other inputs.
    if any(not isinstance(layer, keras.layers.InputLayer) for layer in model.layers[:1]):
        return []
    return [layer for layer in model.layers if _is_relu(layer)]


def _is_relu(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return isinstance(layer, keras.layers.ReLU) or activation is keras.activations.relu


@dataclass(frozen=True)
class OneBatch:
    """Training with one and the same batch.

    Args:
        losses: the cross-entropy before each step.
    """

    losses: tuple[float, ...]

    def text(self) -> str:
        """Return how far the loss fell, in words."""
        return (
            f"its loss goes from {self.losses[0]:.2f} to {self.losses[-1]:.2f} in "
            f"{len(self.losses)} steps"
        )

    def warning(self) -> str:
        """Return a sentence if the batch is not learned, otherwise an empty text."""
        learned = self.losses[-1] <= _LEARNED * self.losses[0]
        if learned or len(self.losses) < _FEWEST_STEPS:
            return ""
        return (
            f"One batch, shown {len(self.losses)} times, is not learned: its loss went from "
            f"{self.losses[0]:.2f} to {self.losses[-1]:.2f}. Try another learning_rate (10 times "
            "as large, or as small), less dropout, or a larger network."
        )


def learn_one_batch(model: Any, inputs: Any, targets: np.ndarray, seconds: float) -> OneBatch:
    """Train a compiled model with one batch only, and return its losses.

    Args:
        model: is changed.
        inputs: images or features.
        targets: as for `look_at_batch`.
        seconds: after the first step, after which it ends even if there were only a few steps.
    """
    losses: list[float] = []
    begin = time.perf_counter()
    while len(losses) < _STEPS and (len(losses) < 2 or time.perf_counter() - begin < seconds):
        model.reset_metrics()  # otherwise Keras gives the mean of all steps
        logs = model.train_on_batch(inputs, targets, return_dict=True)
        losses.append(cross_entropy_of(logs))
        if len(losses) == 1:
            begin = time.perf_counter()  # TensorFlow builds its graph in the first step
        if losses[-1] < losses[0] / 2 or not math.isfinite(losses[-1]):
            break
    return OneBatch(tuple(losses))
