"""Layer calls and an input shape enter; one row a layer leaves: shape, costs, receptive field.

Plain Python: no TensorFlow. Shapes are (height, width, channels), or (units,) after flatten,
global_pool or dense. One multiply-add (MAC) is two FLOPs; biases, activations, pooling and
normalisation are not counted, as is usual in the papers. The receptive field follows Araujo,
Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks":
r_out = r_in + (k - 1) * j_in and j_out = j_in * stride.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cnnkit.arithmetic.effects import EFFECTS, Effect, MapState, Shape, UnfitError, pair, times

Path = tuple["int | str", ...]


class Call(Protocol):
    """What is asked of an entry of `model.layers`; see `cnnkit.config.Call`."""

    name: str
    arguments: dict[str, Any]

    @property
    def keras_name(self) -> str | None:
        """The Keras class, None for a block."""

    @property
    def keras_arguments(self) -> dict[str, Any]:
        """What the Keras constructor is given."""

    @property
    def full_arguments(self) -> dict[str, Any]:
        """The same with Keras's defaults filled in."""


class StackError(Exception):
    """The stack cannot be built.

    Args:
        path: leads to the layer below `model.layers`: (6,) or (4, "residual", 1).
        message: what does not fit, and what to do.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@dataclass(frozen=True)
class LayerRow:
    """What one layer does to the map that runs through it.

    Args:
        path: indices below `model.layers`; the depth is the nesting.
        name: the word in the config.
        detail: its main arguments, for people.
        output_shape: (height, width, channels) or (units,); None where only Keras knows.
        parameters: trained numbers; None where only Keras knows.
        non_trainable: numbers kept but not trained (the moving averages of batch_norm).
        multiply_adds: multiply-adds for one image.
        receptive_field: (height, width) of the input pixels that one output can see, not cut
            at the border; None after a layer that sees the whole image or that only Keras knows.
    """

    path: Path
    name: str
    detail: str
    output_shape: Shape | None
    parameters: int | None
    non_trainable: int = 0
    multiply_adds: int | None = 0
    receptive_field: tuple[int, int] | None = None


def walk_stack(layers: Sequence[Call], input_shape: Shape) -> list[LayerRow]:
    """Return one row a layer, in order; a block is followed by its rows and its sum.

    Args:
        layers: calls of `model.layers`, without the output layer.
        input_shape: (height, width, channels).

    Raises:
        StackError: a layer cannot take the map that reaches it.

    >>> walk_stack([], (28, 28, 1))
    []
    """
    rows: list[LayerRow] = []
    _walk(layers, MapState(input_shape, sizes=(input_shape[:2],)), (), rows)
    return rows


def output_shape(layers: Sequence[Call], input_shape: Shape) -> Shape | None:
    """Return the shape that leaves the stack, or None where only Keras knows it."""
    rows = walk_stack(layers, input_shape)
    return rows[-1].output_shape if rows else input_shape


def check_stack(layers: Sequence[Call], input_shape: Shape) -> None:
    """Refuse a stack that collapses the image or does not end in a row of numbers.

    Raises:
        StackError: names the layer, and the sizes on the way to it.
    """
    shape = output_shape(layers, input_shape)
    if shape is not None and len(shape) != 1:
        raise StackError(
            (len(layers) - 1,),
            f"the stack ends here with maps of {times(shape)}, but the output layer needs one row "
            "of numbers an image. Add flatten or global_pool after this layer.",
        )


def output_row(shape: Shape, num_classes: int, *, sigmoid: bool) -> LayerRow:
    """Return the row of the output layer that is added to a stack of the given output shape."""
    units = 1 if sigmoid else num_classes
    return LayerRow(
        path=("output",),
        name="output",
        detail=f"{units}, {'sigmoid' if sigmoid else 'softmax'}",
        output_shape=(units,),
        parameters=(shape[0] + 1) * units,
        multiply_adds=shape[0] * units,
    )


def _walk(layers: Sequence[Call], state: MapState, prefix: Path, rows: list[LayerRow]) -> MapState:
    for index, call in enumerate(layers):
        path = (*prefix, index)
        if call.keras_name is None:
            state = _walk_residual(call, state, path, rows)
        else:
            state = _step(call, state, path, rows)
    return state


def _step(call: Call, state: MapState, path: Path, rows: list[LayerRow]) -> MapState:
    effect_of = EFFECTS.get(call.keras_name)
    if state.shape is None or effect_of is None:
        unknown = LayerRow(path, call.name, _detail(call), None, None, multiply_adds=None)
        rows.append(unknown)
        return replace(state, shape=None, field=None)
    try:
        effect = effect_of(state.shape, call.full_arguments)
    except UnfitError as unfit:
        raise StackError(path, unfit.explain(call.name, state)) from None
    state = _after(call, effect, state)
    rows.append(
        LayerRow(
            path,
            call.name,
            _detail(call),
            effect.shape,
            effect.parameters,
            effect.non_trainable,
            effect.multiply_adds,
            state.field,
        )
    )
    return state


def _after(call: Call, effect: Effect, state: MapState) -> MapState:
    field = None
    if state.field and effect.window:
        field = tuple(
            r + (k - 1) * j for r, k, j in zip(state.field, effect.window, state.jump, strict=True)
        )
    sizes = state.sizes
    if len(effect.shape) == 3 and effect.shape[:2] != sizes[-1]:
        sizes = (*sizes, effect.shape[:2])
    return MapState(
        shape=effect.shape,
        field=field,
        jump=tuple(j * s for j, s in zip(state.jump, effect.stride, strict=True)),
        sizes=sizes,
        flattened_by=state.flattened_by or (call.name if len(effect.shape) == 1 else ""),
    )


def _walk_residual(call: Call, state: MapState, path: Path, rows: list[LayerRow]) -> MapState:
    place = len(rows)
    end = _walk(call.arguments["layers"], state, (*path, "residual"), rows)
    if state.shape is None or end.shape is None:
        rows.insert(place, LayerRow(path, call.name, "", None, None, multiply_adds=None))
        return replace(end, shape=None, field=None)
    projection = shortcut(state.shape, end.shape)
    if projection is None and state.shape != end.shape:
        raise StackError(
            path,
            f"the shortcut carries {times(state.shape)} but the layers inside give "
            f"{times(end.shape)}, and no 1 x 1 convolution leads from one to the other. "
            "Use padding: same inside the block.",
        )
    parameters = multiply_adds = 0
    detail = "input + layers"
    if projection:
        filters, strides = projection
        detail = f"1 x 1 conv to {filters} + layers"
        parameters = (state.shape[-1] + 1) * filters
        multiply_adds = state.shape[-1] * math.prod(end.shape)
        detail += f", stride {strides[0]}" if strides != (1, 1) else ""
    block = LayerRow(
        path,
        call.name,
        detail,
        end.shape,
        parameters,
        multiply_adds=multiply_adds,
        receptive_field=end.field,
    )
    rows.insert(place, block)
    return end


def shortcut(start: Shape, end: Shape) -> tuple[int, tuple[int, int]] | None:
    """Return (filters, strides) of the 1 x 1 convolution that leads from start to end.

    None where the shapes are equal, or where no stride does it.

    >>> shortcut((28, 28, 16), (14, 14, 32))
    (32, (2, 2))
    >>> shortcut((28, 28, 16), (28, 28, 16)) is None
    True
    """
    if start == end or len(start) != 3 or len(end) != 3:
        return None
    strides = tuple(math.ceil(a / b) for a, b in zip(start[:2], end[:2], strict=True))
    reached = tuple(math.ceil(a / s) for a, s in zip(start[:2], strides, strict=True))
    return (end[2], strides) if reached == end[:2] else None


def _detail(call: Call) -> str:
    return ", ".join(_shown(call.keras_arguments))


def _shown(arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        if name in ("filters", "units", "activation", "padding", "rate"):
            yield str(value)
        elif name in ("kernel_size", "pool_size"):
            yield times(pair(value))
        elif not isinstance(value, dict):
            yield f"{name} {value}"
