"""List the operations of a Keras model in the order of the data, with nested models laid out flat.

The graph is Keras's own, so what is drawn is what the model computes, no matter how it was built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import DataError, UsageError

_WITHOUT_KERNEL_ATTRIBUTE = ("DepthwiseConv2D", "SeparableConv2D")  # their kernels have other names


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of the graph and its output tensor.

    Args:
        name: name of the layer or operation; `backbone/conv1` inside a nested model.
        operation: the Keras layer or operation; None for the input image.
        inputs: positions of the steps whose tensors it takes.
        shape: shape of the tensor without the batch, `(height, width, channels)` for a map.
        node: Keras's record of the call, which has its other arguments.
        output: index of the tensor, if the operation has several outputs.
    """

    name: str
    operation: Any
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    node: Any = None
    output: int = 0

    @property
    def kind(self) -> str:
        """The Keras class: Conv2D, ReLU, Add, ..."""
        return type(self.operation).__name__ if self.operation is not None else "InputLayer"

    @property
    def activation(self) -> Any:
        """The activation that is an argument of a layer; None if there is none or it is linear."""
        if not hasattr(self.operation, "kernel") and self.kind not in _WITHOUT_KERNEL_ATTRIBUTE:
            return None
        function = getattr(self.operation, "activation", None)
        return None if function in (None, _keras().activations.linear) else function

    def apply(self, tensors: Sequence[Any], *, without_activation: bool = False) -> Any:
        """Return the output tensor of this step in inference.

        Args:
            tensors: the output tensors of the steps in `inputs`.
            without_activation: whether to leave out the activation that is an argument of a layer.
        """
        keys = [id(tensor) for tensor in self.node.input_tensors]
        # Only Keras's record of the call knows where the tensors stand among the other arguments.
        args, kwargs = self.node.arguments.fill_in(dict(zip(keys, tensors, strict=True)))
        if without_activation and self.activation is not None:
            # Keras has no way to call a layer without its activation, so it is replaced meanwhile.
            kept = self.operation.activation
            self.operation.activation = _keras().activations.linear
            try:
                result = self.operation(*args, **kwargs)
            finally:
                self.operation.activation = kept
        else:
            result = self.operation(*args, **kwargs)
        return _keras().tree.flatten(result)[self.output]


def _keras() -> Any:
    """Return Keras, which is not imported before a model is loaded: the import takes seconds."""
    from cnnkit.backend import keras

    return keras


def steps_of(model: Any) -> list[Step]:
    """Return the steps of a model, each after the steps it needs; the first one is the image.

    Raises:
        UsageError: the model has several inputs or outputs, or is not a graph of layers.
    """
    graph = _graph(model)
    if graph is None or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            "The layers of this model cannot be shown. It must be a functional or sequential Keras "
            "model with one image as its input and one row of probabilities as its output."
        )
    steps = [Step("image", None, (), tuple(model.inputs[0].shape[1:]))]
    end = _lay_out(graph, {id(graph.inputs[0]): 0}, "", steps)[id(graph.outputs[0])]
    return steps[: end + 1] if end == len(steps) - 1 else _ending_at(steps, end)


def run_steps(
    steps: Sequence[Step],
    images: Any,
    *,
    until: int | None = None,
    also: Sequence[int] = (),
    before: bool = False,
) -> list[Any]:
    """Return the tensor of every step for a batch of images; None for steps that are not needed.

    Args:
        steps: what `steps_of` returned.
        images: (num_images, height, width, channels), levels 0 to 255.
        until: position of the last step to compute; by default the result of the model.
        also: positions of earlier steps to compute too. They may be on a branch that does not lead
            to `until`.
        before: whether to return the tensor of step `until` before its activation.
    """
    last = len(steps) - 1 if until is None else until
    needed = _needed(steps, {last, *also})
    tensors: list[Any] = [images]
    for position, step in enumerate(steps[1 : last + 1], 1):
        entering = [tensors[i] for i in step.inputs]
        cut = before and position == last
        tensors.append(step.apply(entering, without_activation=cut) if needed[position] else None)
    return tensors


def _needed(steps: Sequence[Step], wanted: Collection[int]) -> list[bool]:
    """Return, for each step up to the last wanted one, whether it has to be computed."""
    needed = [position in wanted for position in range(max(wanted) + 1)]
    for position in range(max(wanted), 0, -1):
        for entering in steps[position].inputs if needed[position] else ():
            needed[entering] = True
    return needed


def _ending_at(steps: list[Step], end: int) -> list[Step]:
    """Return the steps that lead to the result, with the result as the last one."""
    order = [i for i, needed in enumerate(_needed(steps, {end})) if needed]
    place = {old: new for new, old in enumerate(order)}
    moved = (steps[old] for old in order)
    return [
        Step(s.name, s.operation, tuple(place[i] for i in s.inputs), s.shape, s.node, s.output)
        for s in moved
    ]


def _graph(operation: Any) -> Any:
    """Return the functional graph of a model, also of one that is used as a layer; else None.

    Keras stores the nodes of a graph under a private name and has no public way to list them.
    """
    if not isinstance(operation, _keras().Model):
        return None
    graph = getattr(operation, "_functional", None) or operation
    return graph if hasattr(graph, "_nodes_by_depth") else None


def _nodes(graph: Any) -> Iterator[Any]:
    for depth in sorted(graph._nodes_by_depth, reverse=True):  # Keras counts from the output
        yield from graph._nodes_by_depth[depth]


def _lay_out(graph: Any, places: dict[int, int], prefix: str, steps: list[Step]) -> dict[int, int]:
    """Append the steps of a graph; return, for each tensor, the position of the step that gives it.

    Args:
        graph: a graph whose input tensors are in `places`.
        places: id of a Keras tensor -> position of the step whose output it is.
        prefix: put before the names.
        steps: the list to append to.
    """
    calls: Counter[str] = Counter()
    for node in _nodes(graph):
        if node.is_input:
            continue
        calls[node.operation.name] += 1
        count = calls[node.operation.name]
        # A layer may be called several times, with a map for each call.
        name = f"{prefix}{node.operation.name}" + (f"#{count}" if count > 1 else "")
        entering = tuple(places[id(tensor)] for tensor in node.input_tensors)
        inner = _graph(node.operation)
        if inner is not None:  # a model inside the model: lay out its steps in place of the call
            starts = {id(t): place for t, place in zip(inner.inputs, entering, strict=True)}
            inside = _lay_out(inner, starts, f"{name}/", steps)
            ends = [inside[id(tensor)] for tensor in inner.outputs]
        else:
            ends = _append(node, name, entering, steps)
        places |= {id(t): end for t, end in zip(node.output_tensors, ends, strict=True)}
    return places


def _append(node: Any, name: str, entering: tuple[int, ...], steps: list[Step]) -> list[int]:
    start = len(steps)
    for output, tensor in enumerate(node.output_tensors):
        shape = tuple(tensor.shape[1:])
        several = f":{output}" if len(node.output_tensors) > 1 else ""
        steps.append(Step(f"{name}{several}", node.operation, entering, shape, node, output))
    return list(range(start, len(steps)))


def check_finite(values: NDArray, layer: str) -> None:
    """Refuse numbers that cannot be drawn.

    Raises:
        DataError: some are NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise DataError(
            f"The numbers of the layer {layer} are not finite (NaN or infinite), so they cannot "
            "be drawn. The training of this model has probably diverged. Train it again with a "
            "smaller learning rate."
        )
