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
from cnnkit.arithmetic.sliding_layers import Slide, slides

_AXES = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Formula:
    """One number of a layer and its formula: `height: floor((28 + 2*1 - 3)/2) + 1 = 14`."""

    quantity: str
    expression: str
    result: int

    def __str__(self) -> str:
        return f"{self.quantity}: {self.expression} = {self.result:,}"


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
    find = _FORMULAS.get(_family(rows[position].kind))
    return (find(layer) if find else []) + _field_formulas(rows, rows[position], layer)


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
        *_sizes(found),
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
        *_sizes(found),
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
        *_sizes(found),
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
    return _sizes(slides(layer.input_shapes[0], layer.arguments))


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
    axes = _AXES[len(layer.output_shape) - 1]
    sides = zip(axes, layer.input_shapes[0], layer.output_shape, strict=False)
    return [Formula(axis, f"{size} + {left - size}", left) for axis, size, left in sides]


def _sizes(found: Sequence[Slide]) -> list[Formula]:
    """Return the formulas of the output size along each axis; only one formula for equal axes."""
    formulas = []
    axes = _AXES[len(found)]
    if len(set(found)) == 1 and len(found) > 1:
        axes, found = (", ".join(axes),), found[:1]
    for axis, slide in zip(axes, found, strict=True):
        formulas += _same_padding(axis, slide) + [size_formula(axis, slide)]
    return formulas


def _same_padding(axis: str, slide: Slide) -> list[Formula]:
    if slide.padding != "same":
        return []
    covered = f"(ceil({slide.size}/{slide.stride}) - 1)*{slide.stride} + {_window(slide)}"
    name = f"padding of {axis} ({slide.before} before, {slide.after} after)"
    return [Formula(name, f"max({covered} - {slide.size}, 0)", slide.before + slide.after)]


def size_formula(axis: str, slide: Slide) -> Formula:
    """Return floor((size + padding - window) / stride) + 1 for one axis.

    Args:
        axis: name of the axis.
        slide: how the window slides along it.
    """
    if slide.before == slide.after:
        padding = f" + 2*{slide.before}" if slide.before else ""
    else:
        padding = f" + {slide.before} + {slide.after}"
    inner = f"({slide.size}{padding} - {_window(slide)})/{slide.stride}"
    return Formula(axis, f"floor({inner}) + 1", slide.output)


def _window(slide: Slide) -> str:
    if slide.dilation == 1:
        return str(slide.kernel)
    return f"(({slide.kernel} - 1)*{slide.dilation} + 1)"


def _as_dense(layer: _Layer) -> Formula:
    """Return the weights of a dense layer between the same maps, to show what sharing saves."""
    entered, left = layer.input_shapes[0], layer.output_shape
    bias = " + 1" if layer.arguments["use_bias"] else ""
    weights = (elements(entered) + bool(bias)) * elements(left)
    expression = f"({_product(*entered)}{bias}) * {_product(*left)}"
    return Formula("parameters if it were dense", expression, weights)


def _field_formulas(rows: Sequence[LayerRow], row: LayerRow, layer: _Layer) -> list[Formula]:
    """Return size + (window - 1) * stride so far, for layers that slide a window."""
    if _family(row.kind) not in _SLIDING or row.receptive_field is None:
        return []
    before = rows[row.inputs[0]] if row.inputs[0] >= 0 else None
    sizes = before.receptive_field if before else (1, 1)
    strides = before.field_stride if before else (1, 1)
    if sizes is None or strides is None:
        return []
    found = slides(layer.input_shapes[0], layer.arguments)
    parts = list(zip(sizes, found, strides, row.receptive_field, strict=True))
    axes: tuple[str, ...] = ("receptive field height", "receptive field width")
    # One formula is enough if nothing in it differs between the two axes.
    if parts[0] == parts[1] or (sizes[0], strides[0], found[0].window) == (
        sizes[1], strides[1], found[1].window):  # fmt: skip
        axes, parts = ("receptive field",), parts[:1]
    return [
        Formula(axis, f"{size} + ({_window(slide)} - 1)*{stride}", result)
        for axis, (size, slide, stride, result) in zip(axes, parts, strict=True)
    ]


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
