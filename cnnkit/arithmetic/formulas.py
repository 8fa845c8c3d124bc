"""The formulas behind the numbers of the layer table, with the values filled in.

Each expression is valid Python; with `floor`, `ceil` and `max`, it evaluates to the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnkit.arithmetic.layer_effect import Effect, Shape, elements
from cnnkit.arithmetic.layer_kinds import effect_of, squeezed_units
from cnnkit.arithmetic.layer_row import LayerRow
from cnnkit.arithmetic.sliding_formulas import AXES, Formula, field_formulas, size_formulas
from cnnkit.arithmetic.sliding_layers import slides


@dataclass(frozen=True)
class _Layer:
    """A layer whose shapes are all known.

    Args:
        input_shapes: the shapes of the maps that it takes.
        output_shape: the shape of its own map.
        arguments: all arguments.
        parameters: number of trained weights, even if they are frozen or shared in this stack.
        non_trainable: number of other weights.
        multiply_adds: multiply-adds for one image.
    """

    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    arguments: Mapping[str, Any]
    parameters: int
    non_trainable: int
    multiply_adds: int


def formulas_of(rows: Sequence[LayerRow], position: int) -> list[Formula]:
    """Return the formulas of one row; the list is empty for a layer that changes no size."""
    layer = _known(rows[position])
    if layer is None:
        return []
    family = _family(rows[position].kind)
    find = _FORMULAS.get(family)
    formulas = find(layer) if find else []
    if family in _SLIDING:
        found = slides(layer.input_shapes[0], layer.arguments)
        formulas += field_formulas(rows, rows[position], found)
    return formulas


def _known(row: LayerRow) -> _Layer | None:
    """Return the layer of a row; None if a shape is known to Keras only."""
    shapes = tuple(shape for shape in row.input_shapes if shape is not None)
    if row.output_shape is None or len(shapes) < len(row.input_shapes):
        return None
    function = effect_of(row.kind)
    own = function(shapes[0], row.arguments) if function else Effect(row.output_shape)
    costs = own.parameters, own.non_trainable, own.multiply_adds
    return _Layer(shapes, row.output_shape, row.arguments, *costs)


def _family(kind: str) -> str:
    """Return the kind without its number of axes: Conv2D -> Conv."""
    for number in "123":
        kind = kind.replace(f"{number}D", "")
    return kind


def _product(*numbers: object) -> str:
    return "*".join(map(str, numbers))


def _conv(layer: _Layer) -> list[Formula]:
    found = slides(layer.input_shapes[0], layer.arguments)
    kernel = _product(*(slide.kernel for slide in found))
    filters, channels = layer.output_shape[-1], layer.input_shapes[0][-1]
    groups = layer.arguments["groups"]
    per_filter = f"{kernel}*{channels}" if groups == 1 else f"{kernel}*({channels}//{groups})"
    bias = f"({per_filter} + 1)" if layer.arguments["use_bias"] else per_filter
    size = _product(*layer.output_shape)
    return [
        *size_formulas(found),
        Formula("parameters", f"{bias} * {filters}", layer.parameters),
        Formula("multiply-adds", f"{per_filter} * {size}", layer.multiply_adds),
        _as_dense(layer),
    ]


def _depthwise(layer: _Layer) -> list[Formula]:
    found = slides(layer.input_shapes[0], layer.arguments)
    kernel = _product(*(slide.kernel for slide in found))
    channels = layer.output_shape[-1]
    bias = f"({kernel} + 1)" if layer.arguments["use_bias"] else kernel
    return [
        *size_formulas(found),
        Formula("parameters", f"{bias} * {channels}", layer.parameters),
        Formula(
            "multiply-adds", f"{kernel} * {_product(*layer.output_shape)}", layer.multiply_adds
        ),
        _as_dense(layer),
    ]


def _separable(layer: _Layer) -> list[Formula]:
    found = slides(layer.input_shapes[0], layer.arguments)
    kernel = _product(*(slide.kernel for slide in found))
    between = layer.input_shapes[0][-1] * layer.arguments["depth_multiplier"]
    filters, size = layer.output_shape[-1], _product(*layer.output_shape[:-1])
    weights = f"{kernel}*{between} + {between}*{filters}"
    bias = f" + {filters}" if layer.arguments["use_bias"] else ""
    return [
        *size_formulas(found),
        Formula("parameters", weights + bias, layer.parameters),
        Formula("multiply-adds", f"({weights}) * {size}", layer.multiply_adds),
        _as_dense(layer),
    ]


def _transposed(layer: _Layer) -> list[Formula]:
    kernel = layer.arguments["kernel_size"]
    num_axes = len(layer.output_shape) - 1
    kernel = _product(*([kernel] * num_axes if isinstance(kernel, int) else kernel))
    filters, channels = layer.output_shape[-1], layer.input_shapes[0][-1]
    bias = f"({kernel}*{channels} + 1)" if layer.arguments["use_bias"] else f"{kernel}*{channels}"
    entered = _product(*layer.input_shapes[0])
    return [
        Formula("parameters", f"{bias} * {filters}", layer.parameters),
        Formula("multiply-adds", f"{kernel}*{filters} * {entered}", layer.multiply_adds),
    ]


def _pool(layer: _Layer) -> list[Formula]:
    return size_formulas(slides(layer.input_shapes[0], layer.arguments))


def _global_pool(layer: _Layer) -> list[Formula]:
    positions = layer.input_shapes[0][:-1]
    return [Formula("numbers pooled in each channel", _product(*positions), elements(positions))]


def _flatten(layer: _Layer) -> list[Formula]:
    return [Formula("units", _product(*layer.input_shapes[0]), layer.output_shape[0])]


def _dense(layer: _Layer) -> list[Formula]:
    *positions, entered = layer.input_shapes[0]
    units = layer.output_shape[-1]
    bias = f"({entered} + 1)" if layer.arguments["use_bias"] else f"{entered}"
    times_positions = "".join(f"{size}*" for size in positions)
    return [
        Formula("parameters", f"{bias} * {units}", layer.parameters),
        Formula("multiply-adds", f"{times_positions}{entered} * {units}", layer.multiply_adds),
    ]


def _batch_norm(layer: _Layer) -> list[Formula]:
    size = layer.non_trainable // 2
    trained = layer.parameters // size
    return [
        Formula("trained parameters (gamma, beta)", f"{trained} * {size}", layer.parameters),
        Formula("moving averages (mean, variance)", f"2 * {size}", layer.non_trainable),
    ]


def _norm(layer: _Layer) -> list[Formula]:
    parts = [name for name in ("scale", "center") if layer.arguments.get(name, name == "scale")]
    if not parts:
        return []
    size = layer.parameters // len(parts)
    return [Formula("parameters", f"{len(parts)} * {size}", layer.parameters)]


def _squeeze_excite(layer: _Layer) -> list[Formula]:
    channels = layer.output_shape[-1]
    few = squeezed_units(channels, layer.arguments["ratio"])
    return [
        Formula("units between", f"max(1, {channels}//{layer.arguments['ratio']})", few),
        Formula(
            "parameters", f"({channels} + 1) * {few} + ({few} + 1) * {channels}", layer.parameters
        ),
        Formula("multiply-adds", f"{channels}*{few} + {few}*{channels}", layer.multiply_adds),
    ]


def _concatenate(layer: _Layer) -> list[Formula]:
    channels = [shape[-1] for shape in layer.input_shapes]
    return [Formula("channels", " + ".join(map(str, channels)), layer.output_shape[-1])]


def _zero_padding(layer: _Layer) -> list[Formula]:
    axes = AXES[len(layer.output_shape) - 1]
    sides = zip(axes, layer.input_shapes[0], layer.output_shape, strict=False)
    return [Formula(axis, f"{size} + {left - size}", left) for axis, size, left in sides]


def _as_dense(layer: _Layer) -> Formula:
    """Return the weights of a dense layer between the same maps, to show what sharing saves."""
    entered, left = layer.input_shapes[0], layer.output_shape
    bias = " + 1" if layer.arguments["use_bias"] else ""
    weights = (elements(entered) + bool(bias)) * elements(left)
    expression = f"({_product(*entered)}{bias}) * {_product(*left)}"
    return Formula("parameters if it were dense", expression, weights)


# The layers whose window makes the receptive field larger.
_SLIDING = {"Conv", "DepthwiseConv", "SeparableConv", "MaxPooling", "AveragePooling"}
_FORMULAS: dict[str, Callable[[_Layer], list[Formula]]] = {
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "DepthwiseConv": _depthwise,
    "SeparableConv": _separable,
    "MaxPooling": _pool,
    "AveragePooling": _pool,
    "GlobalMaxPooling": _global_pool,
    "GlobalAveragePooling": _global_pool,
    "Flatten": _flatten,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _norm,
    "RMSNormalization": _norm,
    "GroupNormalization": _norm,
    "SqueezeExcite": _squeeze_excite,
    "Concatenate": _concatenate,
    "ZeroPadding": _zero_padding,
    "Padding": _zero_padding,
    "Cropping": _zero_padding,
}
