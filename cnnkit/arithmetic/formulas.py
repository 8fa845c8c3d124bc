"""The formulas behind the numbers of the layer table, with the values filled in.

Each expression is valid Python; with `floor`, `ceil` and `max`, it evaluates to the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cnnkit.arithmetic.layer_effect import elements
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


def formulas_of(rows: Sequence[LayerRow], position: int) -> list[Formula]:
    """Return the formulas of one row; the list is empty for a layer that changes no size."""
    row = rows[position]
    if row.output_shape is None or None in row.input_shapes:
        return []
    find = _FORMULAS.get(_family(row.kind))
    found = find(_with_own_weights(row)) if find else []
    return found + _field_formulas(rows, row)


def _with_own_weights(row: LayerRow) -> LayerRow:
    """Return a row that counts the weights of its layer even if they are frozen or shared."""
    function = effect_of(row.kind)
    if function is None:
        return row
    own = function(row.input_shapes[0], row.arguments)
    return replace(row, parameters=own.parameters, non_trainable=own.non_trainable)


def _family(kind: str) -> str:
    """Return the kind without its number of axes: Conv2D -> Conv."""
    for number in "123":
        kind = kind.replace(f"{number}D", "")
    return kind


def _product(*numbers: object) -> str:
    return "*".join(map(str, numbers))


def _conv(row: LayerRow) -> list[Formula]:
    found = slides(row.input_shapes[0], row.arguments)
    kernel = _product(*(slide.kernel for slide in found))
    filters, channels = row.output_shape[-1], row.input_shapes[0][-1]
    groups = row.arguments["groups"]
    per_filter = f"{kernel}*{channels}" if groups == 1 else f"{kernel}*({channels}//{groups})"
    bias = f"({per_filter} + 1)" if row.arguments["use_bias"] else per_filter
    size = _product(*row.output_shape)
    return [
        *_sizes(found),
        Formula("parameters", f"{bias} * {filters}", row.parameters),
        Formula("multiply-adds", f"{per_filter} * {size}", row.multiply_adds),
        _as_dense(row),
    ]


def _depthwise(row: LayerRow) -> list[Formula]:
    found = slides(row.input_shapes[0], row.arguments)
    kernel = _product(*(slide.kernel for slide in found))
    channels = row.output_shape[-1]
    bias = f"({kernel} + 1)" if row.arguments["use_bias"] else kernel
    return [
        *_sizes(found),
        Formula("parameters", f"{bias} * {channels}", row.parameters),
        Formula("multiply-adds", f"{kernel} * {_product(*row.output_shape)}", row.multiply_adds),
        _as_dense(row),
    ]


def _separable(row: LayerRow) -> list[Formula]:
    found = slides(row.input_shapes[0], row.arguments)
    kernel = _product(*(slide.kernel for slide in found))
    between = row.input_shapes[0][-1] * row.arguments["depth_multiplier"]
    filters, size = row.output_shape[-1], _product(*row.output_shape[:-1])
    weights = f"{kernel}*{between} + {between}*{filters}"
    bias = f" + {filters}" if row.arguments["use_bias"] else ""
    return [
        *_sizes(found),
        Formula("parameters", weights + bias, row.parameters),
        Formula("multiply-adds", f"({weights}) * {size}", row.multiply_adds),
        _as_dense(row),
    ]


def _transposed(row: LayerRow) -> list[Formula]:
    kernel = row.arguments["kernel_size"]
    num_axes = len(row.output_shape) - 1
    kernel = _product(*([kernel] * num_axes if isinstance(kernel, int) else kernel))
    filters, channels = row.output_shape[-1], row.input_shapes[0][-1]
    bias = f"({kernel}*{channels} + 1)" if row.arguments["use_bias"] else f"{kernel}*{channels}"
    entered = _product(*row.input_shapes[0])
    return [
        Formula("parameters", f"{bias} * {filters}", row.parameters),
        Formula("multiply-adds", f"{kernel}*{filters} * {entered}", row.multiply_adds),
    ]


def _pool(row: LayerRow) -> list[Formula]:
    return _sizes(slides(row.input_shapes[0], row.arguments))


def _global_pool(row: LayerRow) -> list[Formula]:
    positions = row.input_shapes[0][:-1]
    return [Formula("numbers pooled in each channel", _product(*positions), elements(positions))]


def _flatten(row: LayerRow) -> list[Formula]:
    return [Formula("units", _product(*row.input_shapes[0]), row.output_shape[0])]


def _dense(row: LayerRow) -> list[Formula]:
    *positions, entered = row.input_shapes[0]
    units = row.output_shape[-1]
    bias = f"({entered} + 1)" if row.arguments["use_bias"] else f"{entered}"
    times_positions = "".join(f"{size}*" for size in positions)
    return [
        Formula("parameters", f"{bias} * {units}", row.parameters),
        Formula("multiply-adds", f"{times_positions}{entered} * {units}", row.multiply_adds),
    ]


def _batch_norm(row: LayerRow) -> list[Formula]:
    size = row.non_trainable // 2
    trained = row.parameters // size
    return [
        Formula("trained parameters (gamma, beta)", f"{trained} * {size}", row.parameters),
        Formula("moving averages (mean, variance)", f"2 * {size}", row.non_trainable),
    ]


def _norm(row: LayerRow) -> list[Formula]:
    parts = [name for name in ("scale", "center") if row.arguments.get(name, name == "scale")]
    if not parts:
        return []
    size = row.parameters // len(parts)
    return [Formula("parameters", f"{len(parts)} * {size}", row.parameters)]


def _squeeze_excite(row: LayerRow) -> list[Formula]:
    channels = row.output_shape[-1]
    few = squeezed_units(channels, row.arguments["ratio"])
    return [
        Formula("units between", f"max(1, {channels}//{row.arguments['ratio']})", few),
        Formula(
            "parameters", f"({channels} + 1) * {few} + ({few} + 1) * {channels}", row.parameters
        ),
        Formula("multiply-adds", f"{channels}*{few} + {few}*{channels}", row.multiply_adds),
    ]


def _concatenate(row: LayerRow) -> list[Formula]:
    channels = [shape[-1] for shape in row.input_shapes]
    return [Formula("channels", " + ".join(map(str, channels)), row.output_shape[-1])]


def _zero_padding(row: LayerRow) -> list[Formula]:
    axes = _AXES[len(row.output_shape) - 1]
    sides = zip(axes, row.input_shapes[0], row.output_shape, strict=False)
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


def _as_dense(row: LayerRow) -> Formula:
    """Return the weights of a dense layer between the same maps, to show what sharing saves."""
    entered, left = row.input_shapes[0], row.output_shape
    bias = " + 1" if row.arguments["use_bias"] else ""
    weights = (elements(entered) + bool(bias)) * elements(left)
    expression = f"({_product(*entered)}{bias}) * {_product(*left)}"
    return Formula("parameters if it were dense", expression, weights)


def _field_formulas(rows: Sequence[LayerRow], row: LayerRow) -> list[Formula]:
    """Return size + (window - 1) * stride so far, for layers that slide a window."""
    if _family(row.kind) not in _SLIDING or row.receptive_field is None:
        return []
    entering = rows[row.inputs[0]] if row.inputs[0] >= 0 else None
    sizes = entering.receptive_field if entering else (1, 1)
    strides = entering.field_stride if entering else (1, 1)
    found = slides(row.input_shapes[0], row.arguments)
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
_FORMULAS: dict[str, Callable[[LayerRow], list[Formula]]] = {
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
