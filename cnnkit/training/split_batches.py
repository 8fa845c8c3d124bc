"""Train on batches that do not fit into memory: in parts, whose gradients are added.

Weights change once per batch, with the mean gradient over all of its images. So the learning rate,
the number of steps and the schedule stay as they are. Batch normalisation sees the parts, and
dropout draws a mask for each of them, so the weights differ from those of whole batches.
"""

from __future__ import annotations

from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.memory import is_out_of_memory

MOST_PARTS = 8  # a batch is halved up to three times


def is_halving_useful(error: BaseException, batch_size: int, parts: int) -> bool:
    """Return whether a training that ran out of memory may fit with twice as many parts.

    Args:
        error: what TensorFlow has raised.
        batch_size: images per batch.
        parts: of each batch so far.
    """
    # TensorFlow raises this for a full disk, too.
    if not (isinstance(error, tf.errors.ResourceExhaustedError) and is_out_of_memory(error)):
        return False
    return 2 * parts <= min(MOST_PARTS, batch_size)


def split_batch_model(model: Any, part_size: int) -> Any:
    """Return a model with the same layers and weights that learns from parts of each batch.

    Args:
        model: a functional model.
        part_size: images per part; the last part of a batch has the rest.
    """

    class SplitBatchModel(keras.Model):
        """Learns as `keras.Model` does, but with less memory."""

        def train_step(self, data: Any) -> dict[str, Any]:
            """Learn from one batch, and return the metrics so far."""
            return _train_step(self, data, part_size)

    # It is never saved: files are made from the model itself.
    return SplitBatchModel(model.input, model.output, name=model.name)


def _train_step(model: Any, data: Any, part_size: int) -> dict[str, Any]:
    images, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
    size = tf.shape(images)[0]
    learned = model.trainable_variables

    def part(start: Any, *sums: Any) -> tuple[Any, ...]:
        end = tf.minimum(start + part_size, size)
        gradients = _gradients(
            model,
            images[start:end],
            targets[start:end],
            None if weights is None else weights[start:end],
            share=tf.cast(end - start, tf.float32) / tf.cast(size, tf.float32),
        )
        return end, *(total + new for total, new in zip(sums, gradients, strict=True))

    _, *gradients = tf.while_loop(
        lambda start, *sums: start < size,
        part,
        (tf.constant(0), *(tf.zeros(variable.shape, variable.dtype) for variable in learned)),
        parallel_iterations=1,  # only one part at a time is in memory
    )
    model.optimizer.apply_gradients(zip(gradients, learned, strict=True))
    return model.get_metrics_result()


def _gradients(model: Any, images: Any, targets: Any, weights: Any, *, share: Any) -> list[Any]:
    """Update the metrics, and return the part of the batch's gradients that comes from a part.

    Args:
        model: the compiled model.
        images: of the part.
        targets: of the part.
        weights: of the images of the part, or None.
        share: of the images of the batch, in (0, 1].
    """
    with tf.GradientTape() as tape:
        probabilities = model(images, training=True)
        loss = model.compute_loss(images, targets, probabilities, weights, training=True)
        scaled = model.optimizer.scale_loss(loss * tf.cast(share, loss.dtype))
    for metric in model.metrics:
        if metric.name == "loss":
            metric.update_state(loss, sample_weight=tf.shape(images)[0])
    model.compute_metrics(images, targets, probabilities, weights)
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(scaled, model.trainable_variables, unconnected_gradients=zero)
