"""Walk through a stack of layers and work out the shape, costs and receptive field of each.

No TensorFlow is needed. Shapes are (height, width, channels), or (units,) after flatten,
global_pool or dense. One multiply-add (MAC) is two FLOPs. Those of convolutions and dense layers
are counted; biases, activations, pooling, additions and normalisation are not, as is usual in
papers, and as TensorFlow's profiler counts its Conv2D, DepthwiseConv2dNative and MatMul operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnnkit.arithmetic.layer_effect import Effect, History, Shape, UnfitError, times
from cnnkit.arithmetic.layer_kinds import effect_of
from cnnkit.arithmetic.layer_row import LayerRow, detail
from cnnkit.arithmetic.merges import merged_shape, projection
from cnnkit.arithmetic.nodes import IMAGE, MERGES, SHORTCUT, Call, Node, Path, nodes_of
from cnnkit.arithmetic.receptive_field import Field, field_after, field_of_all


class StackError(Exception):
    """The stack cannot be built.

    Args:
        path: where the layer is, below `model.layers`: (6,) or (4, "residual", "layers", 1).
        message: what does not fit, and what to do.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@dataclass(frozen=True)
class _State:
    """A map: its shape, its receptive field, its history, and the row whose output it is."""

    row: int
    shape: Shape | None
    field: Field | None
    history: History = History()


def walk_stack(layers: Sequence[Call], input_shape: Shape) -> list[LayerRow]:
    """Return one row per layer, in the order of the data; a block's own row follows its layers.

    Args:
        layers: calls of `model.layers`, without the output layer.
        input_shape: (height, width, channels).

    Raises:
        StackError: a layer cannot take the map that reaches it.

    >>> walk_stack([], (28, 28, 1))
    []
    """
    return walk_nodes(nodes_of(layers), input_shape)


def walk_nodes(nodes: Sequence[Node], input_shape: Shape) -> list[LayerRow]:
    """Return one row per node, as `walk_stack`; shortcuts that change nothing have no row."""
    rows: list[LayerRow] = []
    states: list[_State] = []
    image = _State(IMAGE, input_shape, Field(), History((input_shape[:-1],)))
    for node in nodes:
        entering = [image if position == IMAGE else states[position] for position in node.inputs]
        states.append(_step(node, entering, rows))
    return rows


def output_shape(layers: Sequence[Call], input_shape: Shape) -> Shape | None:
    """Return the output shape of the stack; None if it is known to Keras only."""
    rows = walk_stack(layers, input_shape)
    return rows[-1].output_shape if rows else input_shape


def check_stack(layers: Sequence[Call], input_shape: Shape) -> None:
    """Refuse a stack that shrinks the image to nothing or does not end with a row of numbers.

    Raises:
        StackError: names the layer, and the sizes of the map before it.
    """
    shape = output_shape(layers, input_shape)
    if shape is not None and len(shape) != 1:
        raise StackError(
            (len(layers) - 1,),
            f"the stack ends here with maps of {times(shape)}, but the output layer needs one row "
            "of numbers per image. Add flatten or global_pool after this layer.",
        )


def output_row(rows: Sequence[LayerRow], num_classes: int, *, sigmoid: bool) -> LayerRow:
    """Return the row of the output layer that is added after a stack."""
    last, units = rows[-1], 1 if sigmoid else num_classes  # `last` also gives the receptive field
    activation = "sigmoid" if sigmoid else "softmax"
    entered = None if last.output_shape is None else last.output_shape[0]
    return replace(
        last,
        path=("output",),
        name="output",
        kind="Dense",
        detail=f"{units}, {activation}",
        inputs=(len(rows) - 1,),
        input_shapes=(last.output_shape,),
        output_shape=(units,),
        parameters=None if entered is None else (entered + 1) * units,
        non_trainable=0,
        multiply_adds=None if entered is None else entered * units,
        arguments={"units": units, "use_bias": True, "activation": activation},
    )


def _step(node: Node, entering: Sequence[_State], rows: list[LayerRow]) -> _State:
    shapes = [state.shape for state in entering if state.shape is not None]
    if len(shapes) < len(entering):
        return _unknown(node, entering, rows)
    try:
        return _known_step(node, entering, shapes, rows)
    except UnfitError as unfit:
        text = unfit.explain(node.name, shapes[0], entering[0].history)
        # A shortcut is not written in the config, so its block is named instead.
        path = node.path[:-2] if node.kind == SHORTCUT else node.path
        raise StackError(path, text) from None


def _known_step(
    node: Node, entering: Sequence[_State], shapes: Sequence[Shape], rows: list[LayerRow]
) -> _State:
    first = entering[0]
    if node.kind == SHORTCUT:
        if shapes[0] == shapes[1]:
            return first  # the map is passed on as it is, without a row
        entering, node = entering[:1], projection(node, shapes[0], shapes[1])
    if node.kind in MERGES:
        effect = Effect(merged_shape(node, shapes))
        field = field_of_all([state.field for state in entering], effect.shape)
    else:
        function = effect_of(node.kind)
        if function is None:
            return _unknown(node, entering, rows)
        effect = function(shapes[0], node.arguments)
        field = field_after(first.field, shapes[0], effect)
    effect = _counted(node, effect)
    rows.append(_row(node, entering, effect, field))
    return _State(len(rows) - 1, effect.shape, field, _history(node, entering, effect.shape))


def _counted(node: Node, effect: Effect) -> Effect:
    """Return the effect with the weights of frozen and shared layers counted correctly.

    Frozen weights are not trained; shared weights are counted where they are used first.
    """
    if node.shared:
        return replace(effect, parameters=0, non_trainable=0)
    if node.frozen:
        kept = effect.parameters + effect.non_trainable
        return replace(effect, parameters=0, non_trainable=kept)
    return effect


def _unknown(node: Node, entering: Sequence[_State], rows: list[LayerRow]) -> _State:
    inputs = tuple(state.row for state in entering)
    shapes = tuple(state.shape for state in entering)
    known = 0 if node.weightless else None
    rows.append(
        LayerRow(
            node.path,
            node.name,
            node.kind,
            detail(node),
            inputs,
            shapes,
            output_shape=node.output_shape,
            parameters=known,
            multiply_adds=known,
            arguments=node.arguments,
        )
    )
    return _State(len(rows) - 1, node.output_shape, None, entering[0].history)


def _row(node: Node, entering: Sequence[_State], effect: Effect, field: Field | None) -> LayerRow:
    return LayerRow(
        node.path,
        node.name,
        node.kind,
        detail(node),
        tuple(state.row for state in entering),
        tuple(state.shape for state in entering),
        effect.shape,
        effect.parameters,
        effect.non_trainable,
        effect.multiply_adds,
        None if field is None else field.size,
        None if field is None else field.stride,
        None if field is None else field.start,
        node.arguments,
    )


def _history(node: Node, entering: Sequence[_State], shape: Shape) -> History:
    history = entering[-1].history  # of a residual block, that of the layers inside
    sizes = history.sizes
    if len(shape) > 1 and shape[:-1] != sizes[-1]:
        sizes = (*sizes, shape[:-1])
    return History(sizes, history.flattened_by or (node.name if len(shape) == 1 else ""))
