"""Train one model on several devices at once: each learns from its part of every batch.

Keras's `fit` cannot do this on several machines (keras issue 20585), and on one it weighs the parts
of a smaller last batch wrongly. So this is a loop of our own around public functions of Keras and
TensorFlow. It computes what one device computes for the whole batch, up to rounding:

- the gradient is that of the mean loss over all images of the batch, whatever the sizes of the
  parts;
- losses and metrics are means over all images;
- batch normalisation normalises each part by itself, unless it is `synchronized: true`; its moving
  averages are the mean over the devices, weighted by their images. If the last batch has fewer
  images than there are devices, some see the image of another one in this step;
- dropout and noise draw other random numbers on each device.

After each step all devices have the same state, so a backup holds it once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.training.replica_step import gather, judge, learn
from cnnkit.training.training_devices import Devices


def replicated_model(model: Any, devices: Devices, batch_size: int) -> Any:
    """Return a model with the same layers and weights that learns on several devices.

    Its `fit` and `evaluate` take what `step.py` gives them: the batches of this machine, for one
    epoch, and callbacks.

    Args:
        model: a functional model, built in the scope of the devices.
        devices: more than one.
        batch_size: images in the largest batch, on all devices together.
    """
    of_machine = math.ceil(batch_size / devices.num_machines)
    part_size = math.ceil(of_machine / (devices.number // devices.num_machines))

    class ReplicatedModel(keras.Model):
        """Learns as `keras.Model` does, on several devices."""

        def fit(self, x: Any, callbacks: Sequence[Any] = (), **_: Any) -> Any:
            """Train for one epoch and return the history."""
            return _fit(self, _Steps(self, devices, part_size), x, callbacks)

        def evaluate(self, x: Any, callbacks: Sequence[Any] = (), **_: Any) -> dict[str, float]:
            """Return loss and metrics."""
            return _evaluate(self, _Steps(self, devices, part_size), x, callbacks)

    # It is never saved: files are made from the model itself.
    return ReplicatedModel(model.input, model.output, name=model.name)


def _fit(model: Any, steps: _Steps, batches: Iterable[Any], given: Sequence[Any]) -> Any:
    with steps.devices.scope():
        callbacks = keras.callbacks.CallbackList(given, add_history=True, model=model, epochs=1)
        steps.reset_metrics()
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        steps.gather_metrics()  # a callback may have set them, to go on in the middle of an epoch
        logs: dict[str, float] = {}
        for number, batch in enumerate(batches):
            callbacks.on_train_batch_begin(number)
            logs = steps.learn(batch)
            callbacks.on_train_batch_end(number, logs)
        callbacks.on_epoch_end(0, logs)
        model.optimizer.finalize_variable_values(model.trainable_variables)
        callbacks.on_train_end(logs)
        return model.history


def _evaluate(
    model: Any, steps: _Steps, batches: Iterable[Any], given: Sequence[Any]
) -> dict[str, float]:
    with steps.devices.scope():
        callbacks = keras.callbacks.CallbackList(given, model=model)
        steps.reset_metrics()
        callbacks.on_test_begin()
        logs: dict[str, float] = {}
        for number, batch in enumerate(batches):
            callbacks.on_test_batch_begin(number)
            logs = steps.judge(batch)
            callbacks.on_test_batch_end(number, logs)
        callbacks.on_test_end(logs)
        return logs


class _Steps:
    """The steps of an epoch, on all devices.

    Args:
        model: the compiled model.
        devices: that share each batch.
        part_size: images in the largest part of one device.
    """

    def __init__(self, model: Any, devices: Devices, part_size: int) -> None:
        self.devices = devices
        self._model, self._part_size = model, part_size
        functions = model.__dict__.setdefault("_step_functions", {})
        if not functions:
            with devices.scope():
                _make_variables(model)
            for name, step in (("learn", learn), ("judge", judge), ("gather", gather)):
                functions[name] = self._on_all(step)
        self._functions = functions

    def reset_metrics(self) -> None:
        """Let the means begin again."""
        self._model.reset_metrics()

    def gather_metrics(self) -> None:
        """Move what is counted to the first device, where each step leaves it."""
        self._functions["gather"](self.devices.wishes())

    def learn(self, batch: Sequence[Any]) -> dict[str, float]:
        """Change the weights, and return loss and metrics of the epoch so far."""
        return self._logs(self._functions["learn"](self.devices.wishes(), *self._split(batch)))

    def judge(self, batch: Sequence[Any]) -> dict[str, float]:
        """Return loss and metrics of this batch and those before; no weight changes."""
        return self._logs(self._functions["judge"](self.devices.wishes(), *self._split(batch)))

    def _on_all(self, step: Any) -> Any:
        """Return a function that takes a step on each device, and has one result for all."""
        model, strategy = self._model, self.devices.strategy

        @tf.autograph.experimental.do_not_convert
        def on_all(*arguments: Any) -> tuple[dict[str, Any], Any]:
            results = strategy.run(step, args=(model, *arguments))
            metrics, wishes = (strategy.experimental_local_results(part)[0] for part in results)
            return _results(model, metrics), wishes

        return tf.function(on_all)

    def _split(self, batch: Sequence[Any]) -> tuple[Any, Any]:
        """Give each device of this machine its part of a batch, and the number of its images.

        All parts are filled up to the same size. With another size, TensorFlow would make another
        graph, and devices whose graphs differ cannot talk with each other.
        """
        parts, size = self.devices.number // self.devices.num_machines, len(batch[1])
        if not size:  # the batch has fewer images than there are machines
            batch = [tf.zeros((1, *values.shape[1:]), values.dtype) for values in batch]

        def bounds(context: Any) -> tuple[int, int]:
            number = context.replica_id_in_sync_group % parts
            return size * number // parts, size * (number + 1) // parts

        def part(context: Any) -> tuple[Any, ...]:
            start, end = bounds(context)
            # Without a part, it gets an image that does not count.
            start = max(0, min(start, size - 1))
            end = max(end, start + 1)
            missing = self._part_size - (end - start)
            return tuple(
                tf.pad(values[start:end], [[0, missing]] + [[0, 0]] * (len(values.shape) - 1))
                for values in batch
            )

        def size_of_part(context: Any) -> Any:
            start, end = bounds(context)
            return tf.constant(end - start)

        distribute = self.devices.strategy.experimental_distribute_values_from_function
        return distribute(part), distribute(size_of_part)

    def _logs(self, results: tuple[dict[str, Any], Any]) -> dict[str, float]:
        logs, wishes = results
        self.devices.agree(wishes.numpy())
        return {name: float(value) for name, value in logs.items()}


def _make_variables(model: Any) -> None:
    """Let Keras make the variables of its metrics, which is not possible inside a step."""
    example = tf.zeros((1, *model.output_shape[1:]))
    model.compute_loss(None, example, example)
    model.compute_metrics(None, example, example)


def _results(model: Any, values: Any) -> dict[str, Any]:
    """Return loss and metrics by name.

    Args:
        model: the compiled model.
        values: of `model.metrics_variables`, added up over all devices.
    """
    rest, results = tf.unstack(values), {}
    for metric in model.metrics:
        number = len(metric.variables)
        found = metric.stateless_result(rest[:number])
        results |= found if isinstance(found, dict) else {metric.name: found}
        rest = rest[number:]
    return results
