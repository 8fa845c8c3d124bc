"""What happens in a step on one of several devices, and what they tell each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnkit.backend import keras, tf

_SEED_DISTANCE = 1_000_003  # between the seeds of two devices; any number that seeds rarely have


def learn(model: Any, wishes: Any, batch: Sequence[Any], size: Any) -> tuple[Any, Any]:
    """Change the weights by what all devices have learned from a batch.

    Args:
        model: the compiled model.
        wishes: what this machine tells the others.
        batch: this device's images, targets and perhaps weights.
        size: how many of these rows are part of the batch.

    Returns:
        The values of `model.metrics_variables`, and the wishes, both added up over all devices.
    """
    context = tf.distribute.get_replica_context()
    images, targets, weights = _rows(batch, size)
    share = tf.cast(size, tf.float32)
    share /= context.all_reduce("SUM", share)  # of the images of the whole batch
    seeds, averages = _states(model)
    before = [tf.identity(variable.value) for variable in averages]
    _move_seeds(seeds, context, 1)
    with tf.GradientTape() as tape:
        probabilities = model(images, training=True)[:size]
        loss = model.compute_loss(images, targets, probabilities, weights, training=True)
        # Keras divides the loss by the number of devices, as if all had the same share.
        unequal = share * context.num_replicas_in_sync
        scaled = model.optimizer.scale_loss(loss * tf.cast(unequal, loss.dtype))
    learned, zero = model.trainable_variables, tf.UnconnectedGradients.ZERO
    gradients = tape.gradient(scaled, learned, unconnected_gradients=zero)
    if _clips(model.optimizer):
        # Keras adds up after it has clipped, so it must clip what is added up already.
        whole = context.all_reduce("SUM", gradients)
        gradients = [gradient / context.num_replicas_in_sync for gradient in whole]
    model.optimizer.apply_gradients(zip(gradients, learned, strict=True))
    _move_seeds(seeds, context, -1)
    _count(model, loss, targets, probabilities, weights)
    changes = [
        tf.cast(variable.value - old, tf.float32) * share
        for variable, old in zip(averages, before, strict=True)
    ]
    metrics, agreed, changes = _shared(model, wishes, changes)
    for variable, old, change in zip(averages, before, changes, strict=True):
        variable.assign(old + tf.cast(change, old.dtype))
    return metrics, agreed


def divide_clipping(optimizer: Any, num_devices: int) -> None:
    """Let an optimizer clip a gradient that is divided by the number of devices as the whole one.

    Args:
        optimizer: of Keras, not used before.
        num_devices: which add up such gradients.
    """
    for name in _CLIPPING:
        if getattr(optimizer, name) is not None:
            setattr(optimizer, name, getattr(optimizer, name) / num_devices)


_CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")


def _clips(optimizer: Any) -> bool:
    given = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses
    return any(getattr(given, name) is not None for name in _CLIPPING)


def _rows(batch: Sequence[Any], size: Any) -> tuple[Any, Any, Any]:
    """Return images, targets and weights, or None, without what fills the part up.

    Layers get an image even if the device has no part: the mean of none would be NaN.
    """
    images, *others = batch
    shown = images[: tf.maximum(size, 1)]
    return keras.utils.unpack_x_y_sample_weight((shown, *(rows[:size] for rows in others)))


def judge(model: Any, wishes: Any, batch: Sequence[Any], size: Any) -> tuple[Any, Any]:
    """Update the metrics; no weight changes. Arguments and result are those of `learn`."""
    images, targets, weights = _rows(batch, size)
    probabilities = model(images, training=False)[:size]
    loss = model.compute_loss(images, targets, probabilities, weights, training=False)
    _count(model, loss, targets, probabilities, weights)
    return _shared(model, wishes)[:2]


def gather(model: Any, wishes: Any) -> tuple[Any, Any]:
    """Move what is counted to the first device, where each step leaves it."""
    return _shared(model, wishes)[:2]


def _count(model: Any, loss: Any, targets: Any, probabilities: Any, weights: Any) -> None:
    """Update the metrics of this device. Of no image, the loss has no weight."""
    context = tf.distribute.get_replica_context()
    whole = loss * tf.cast(context.num_replicas_in_sync, loss.dtype)
    _loss_metric(model).update_state(whole, sample_weight=tf.shape(targets)[0])
    model.compute_metrics(None, targets, probabilities, weights)


def _shared(model: Any, wishes: Any, changes: Sequence[Any] = ()) -> tuple[Any, Any, list[Any]]:
    """Add up over all devices, in a single message: metrics, wishes and changes.

    Afterwards the first device has all that is counted, and the others have zeros: their sum is
    exact, however often it is taken.
    """
    context = tf.distribute.get_replica_context()
    counted = [tf.identity(variable.value) for variable in model.metrics_variables]
    parts = [tf.stack(counted), wishes, *(tf.reshape(change, [-1]) for change in changes)]
    sums = context.all_reduce("SUM", tf.concat(parts, axis=0))
    metrics, agreed, *rest = tf.split(sums, [part.shape[0] for part in parts])
    is_first = tf.cast(context.replica_id_in_sync_group == 0, metrics.dtype)
    for variable, value in zip(model.metrics_variables, tf.unstack(metrics), strict=True):
        variable.assign(value * is_first)
    shaped = [tf.reshape(part, change.shape) for part, change in zip(rest, changes, strict=True)]
    return metrics, agreed, shaped


def _states(model: Any) -> tuple[list[Any], list[Any]]:
    """Return what layers change by themselves: the states of random numbers, and averages."""
    states = model.non_trainable_variables
    seeds = [state for state in states if "int" in state.dtype]
    return seeds, [state for state in states if "float" in state.dtype]


def _move_seeds(seeds: Sequence[Any], context: Any, sign: int) -> None:
    """Let each device draw other random numbers, or go back to the common state."""
    distance = sign * _SEED_DISTANCE * context.replica_id_in_sync_group
    for state in seeds:  # a seed and a counter
        moved = tf.stack([tf.cast(distance, state.dtype), tf.zeros((), state.dtype)])
        state.assign(state.value + moved)


def _loss_metric(model: Any) -> Any:
    return next(metric for metric in model.metrics if metric.name == "loss")
