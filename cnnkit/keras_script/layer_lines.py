"""The lines of a script that apply the layers of a stack, each with the formulas of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnkit.arithmetic import (
    SHORTCUT,
    LayerNames,
    LayerRow,
    Node,
    borders,
    formulas_of,
    nodes_of,
    output_row,
    projection,
    squeezed_units,
    times,
    walk_stack,
)
from cnnkit.config import Call, Config
from cnnkit.keras_script.python_text import arguments_of, call_text, comment_text
from cnnkit.keras_script.variables import Variables
from cnnkit.model.safe_strides import needs_sampling

# The arguments that are clear without their names.
_POSITIONAL = {
    "Conv2D": ("filters", "kernel_size"),
    "SeparableConv2D": ("filters", "kernel_size"),
    "DepthwiseConv2D": ("kernel_size",),
    "Dense": ("units",),
    "MaxPooling2D": ("pool_size",),
    "AveragePooling2D": ("pool_size",),
    "Dropout": ("rate",),
    "SpatialDropout2D": ("rate",),
    "Activation": ("activation",),
}
# What Keras assumes anyway; blocks of a config often state it.
_USUAL = (("strides", 1), ("padding", "valid"), ("use_bias", True))
# What a comment explains. How large the same layer would be if it were dense is left to
# `cnnkit summary --explain`.
_EXPLAINED = ("height", "width", "parameters", "units", "trained", "channels")


def stack_lines(layers: Sequence[Call], input_shape: tuple[int, ...] | None) -> list[str]:
    """Return the lines that turn the tensor `x` into the output of a stack.

    Args:
        layers: calls of `model.layers`, or of a head.
        input_shape: (height, width, channels); None if it is known to Keras only. Then the layers
            have no comments, and `cnnkit.keras_script.refusals` allows no blocks.
    """
    rows = walk_stack(layers, input_shape) if input_shape else []
    return _Stack(nodes_of(layers), rows).lines()


def output_lines(
    config: Config, num_classes: int, input_shape: tuple[int, ...] | None
) -> list[str]:
    """Return the lines of the output layer."""
    sigmoid = config.model.output == "sigmoid"
    lines = []
    if input_shape:
        rows = walk_stack(config.model.layers, input_shape)
        rows.append(output_row(rows, num_classes, sigmoid=sigmoid))
        lines.append(_explained("probabilities", rows, len(rows) - 1))
    units = "1" if sigmoid else "NUM_CLASSES"
    activation = "sigmoid" if sigmoid else "softmax"
    given = [units, f'activation="{activation}"', 'name="probabilities"']
    return [line for line in lines if line] + [call_text("x = layers.Dense", given, "(x)")]


class _Stack:
    def __init__(self, nodes: Sequence[Node], rows: Sequence[LayerRow]) -> None:
        self._nodes, self._rows = nodes, rows
        self._places = {(row.path, row.name): place for place, row in enumerate(rows)}
        self._names = LayerNames()
        self._variables = Variables(nodes)

    def lines(self) -> list[str]:
        """Return the lines of all layers."""
        found: list[str] = []
        for position, node in enumerate(self._nodes):
            found += self._of(position, node)
        return found

    def _of(self, position: int, node: Node) -> list[str]:
        place = self._places.get((node.path, node.name))
        if node.kind == SHORTCUT:
            if place is None:  # the map is passed on as it is
                self._variables.pass_on(position)
                return []
            shapes = self._rows[place].input_shapes[0], self._end_of(node)
            node = projection(node, *shapes)
        name = self._names.of(node)
        inputs, saved, output = self._variables.step(position)
        comment = "" if place is None else _explained(name, self._rows, place)
        lines = [f"    {line}" for line in saved] + ([comment] if comment else [])
        return lines + self._applied(node, name, inputs, output, place)

    def _end_of(self, node: Node) -> Any:
        """Return the output shape of the layers inside a residual block."""
        inside = self._nodes[node.inputs[1]]
        return self._rows[self._places[(inside.path, inside.name)]].output_shape

    def _applied(
        self, node: Node, name: str, inputs: Sequence[str], output: str, place: int | None
    ) -> list[str]:
        if node.kind in ("Add", "Concatenate"):
            return _merged(node, name, inputs, output)
        if node.kind == "SqueezeExcite":
            channels = self._rows[place].input_shapes[0][-1]
            return _squeeze_excite(node.arguments["ratio"], channels, name, inputs[0], output)
        lines, entered, given = [], inputs[0], dict(node.given)
        if node.arguments.get("pad"):
            lines += _padded(node.arguments["pad"], name, entered, output)
            entered = output
        channels = None if place is None else self._rows[place].input_shapes[0][-1]
        if channels and needs_sampling(node.kind, given, channels):
            strides = given.pop("strides")
            lines += [
                comment_text(["The strides of the convolution: every second pixel, or third, ..."]),
                _line("MaxPooling2D", {"pool_size": 1, "strides": strides}, f"{name}_sampled",
                      entered, output),
            ]  # fmt: skip
            entered = output
        given.pop("name", None)
        return [*lines, _line(node.kind, given, name, entered, output)]


def _line(kind: str, given: Mapping[str, Any], name: str, entered: str, output: str) -> str:
    # Without strides, pooling would take those of its window.
    usual = () if "Pooling" in kind else _USUAL
    told = {key: value for key, value in given.items() if (key, value) not in usual}
    arguments = arguments_of(told, _POSITIONAL.get(kind, ()), name=name)
    return call_text(f"{output} = layers.{kind}", arguments, f"({entered})")


def _merged(node: Node, name: str, inputs: Sequence[str], output: str) -> list[str]:
    word = node.kind.lower()
    tail = f"([{', '.join(inputs)}])"
    lines = [call_text(f"{output} = layers.{node.kind}", [f'name="{name}_{word}"'], tail)]
    activation = node.arguments.get("activation")
    if activation is not None:
        given = {"activation": activation}
        lines.append(_line("Activation", given, f"{name}_{activation}", output, output))
    return lines


def _squeeze_excite(ratio: int, channels: int, name: str, entered: str, output: str) -> list[str]:
    few = squeezed_units(channels, ratio)
    relu, sigmoid = ({"activation": word} for word in ("relu", "sigmoid"))
    tail = f"([{entered}, scale])"
    return [
        _line("GlobalAveragePooling2D", {"keepdims": True}, f"{name}_squeeze", entered, "scale"),
        _line("Dense", {"units": few, **relu}, f"{name}_reduce", "scale", "scale"),
        _line("Dense", {"units": channels, **sigmoid}, f"{name}_excite", "scale", "scale"),
        call_text(f"{output} = layers.Multiply", [f'name="{name}_scale"'], tail),
    ]


def _padded(pad: Mapping[str, Any], name: str, entered: str, output: str) -> list[str]:
    sides = borders(pad["size"], 2)
    if pad["mode"] == "zeros":
        return [_line("ZeroPadding2D", {"padding": sides}, f"{name}_pad", entered, output)]
    if pad["mode"] == "reflect":
        return [_border(sides, "reflect", entered, output)]
    lines = []
    # Keras cannot copy the edge, but a mirror image of one pixel is a copy of it.
    while any(map(any, sides)):
        once = [[min(1, side) for side in pair] for pair in sides]
        lines.append(_border(once, "symmetric", entered if not lines else output, output))
        sides = [[max(0, side - 1) for side in pair] for pair in sides]
    return lines


def _border(sides: Sequence[Sequence[int]], mode: str, entered: str, output: str) -> str:
    around = arguments_of({"pad_width": [[0, 0], *sides, [0, 0]], "mode": mode}, ("pad_width",))
    return call_text(f"{output} = keras.ops.pad", [entered, *around])


def _explained(name: str, rows: Sequence[LayerRow], place: int) -> str:
    """Return a comment with the output shape of a layer, and how its numbers come about."""
    row = rows[place]
    found = [
        str(formula)
        for formula in formulas_of(rows, place)
        if formula.quantity.startswith(_EXPLAINED) and "if it were" not in formula.quantity
    ]
    if not found or row.output_shape is None:
        return ""
    return comment_text([f"{name}: {times(row.output_shape)}", *found])
