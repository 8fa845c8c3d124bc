"""A Keras model enters; its operations in the order of the data leave, nested models laid out flat.

The graph is Keras's own, so what is drawn is what the model computes, whatever built it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.backend import keras
from cnnkit.errors import DataError, UsageError

_LINEAR = keras.activations.linear
_KERNELS_OF_OTHER_NAMES = ("DepthwiseConv2D", "SeparableConv2D")


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of the graph and the tensor that it gives.

    Args:
        name: of the layer or operation; `backbone/conv1` inside a nested model.
        operation: the Keras layer or operation; None for the image that enters.
        inputs: positions of the steps whose tensors it takes.
        shape: of the tensor without the batch, `(height, width, channels)` for a map.
        node: Keras's record of the call, for its other arguments.
        output: which of the operation's tensors, for one that gives several.
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
        """The function that is an argument of a layer, None where there is none or it is linear."""
        if not hasattr(self.operation, "kernel") and self.kind not in _KERNELS_OF_OTHER_NAMES:
            return None
        function = getattr(self.operation, "activation", None)
        return None if function in (None, _LINEAR) else function

    def apply(self, tensors: Sequence[Any], *, without_activation: bool = False) -> Any:
        """Return the tensor of this step for the tensors of its inputs, as in inference."""
        keys = [id(tensor) for tensor in self.node.input_tensors]
        args, kwargs = self.node.arguments.fill_in(dict(zip(keys, tensors, strict=True)))
        if without_activation and self.activation is not None:
            kept, self.operation.activation = self.operation.activation, _LINEAR
            try:
                result = self.operation(*args, **kwargs)
            finally:
                self.operation.activation = kept
        else:
            result = self.operation(*args, **kwargs)
        return keras.tree.flatten(result)[self.output]


def steps_of(model: Any) -> list[Step]:
    """Return the steps of a model, each after those it needs; the first one is the image.

    Raises:
        UsageError: the model takes or gives several tensors, or is no graph of layers.
    """
    graph = _graph(model)
    if graph is None or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            "Only models with one image in, one row of probabilities out, made of Keras layers "
            "(functional or sequential), can be looked into."
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
    """Return the tensor of every step for a batch of images, None for one that is not needed.

    Args:
        steps: of `steps_of`.
        images: (num_images, height, width, channels), levels 0 to 255.
        until: the last step that is wanted; by default the result.
        also: steps before it that are wanted too, for one may be on another way than it.
        before: the tensor of step `until` is wanted before its activation.
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
    """Return for each step up to the last wanted one whether it is needed."""
    needed = [position in wanted for position in range(max(wanted) + 1)]
    for position in range(max(wanted), 0, -1):
        for entering in steps[position].inputs if needed[position] else ():
            needed[entering] = True
    return needed


def _ending_at(steps: list[Step], end: int) -> list[Step]:
    """Return the steps with the result as the last one."""
    order = [i for i, needed in enumerate(_needed(steps, {end})) if needed]
    place = {old: new for new, old in enumerate(order)}
    moved = (steps[old] for old in order)
    return [
        Step(s.name, s.operation, tuple(place[i] for i in s.inputs), s.shape, s.node, s.output)
        for s in moved
    ]


def _graph(operation: Any) -> Any:
    """Return the functional graph of a model or of a model that is used as a layer, else None.

    Keras keeps the nodes of its graph under a private name; there is no public walk.
    """
    if not isinstance(operation, keras.Model):
        return None
    graph = getattr(operation, "_functional", None) or operation
    return graph if hasattr(graph, "_nodes_by_depth") else None


def _nodes(graph: Any) -> Iterator[Any]:
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from graph._nodes_by_depth[depth]


def _lay_out(graph: Any, places: dict[int, int], prefix: str, steps: list[Step]) -> dict[int, int]:
    """Append the steps of a graph; return which step gives each of its tensors.

    Args:
        graph: with the tensors that enter it in `places`.
        places: id of a Keras tensor -> position of the step that gives it.
        prefix: for the names.
        steps: what is appended to.
    """
    calls: Counter[str] = Counter()
    for node in _nodes(graph):
        if node.is_input:
            continue
        calls[node.operation.name] += 1
        count = calls[node.operation.name]
        name = f"{prefix}{node.operation.name}" + (f"#{count}" if count > 1 else "")
        entering = tuple(places[id(tensor)] for tensor in node.input_tensors)
        inner = _graph(node.operation)
        if inner is not None:
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
    """Refuse numbers that no picture can show.

    Raises:
        DataError: some are NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise DataError(
            f"The numbers of the layer {layer} are not finite (NaN or infinite), so there is "
            "nothing to draw. The training of this model has probably diverged: train it again "
            "with a smaller learning rate."
        )
