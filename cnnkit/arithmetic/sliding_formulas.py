"""The formulas of a window that slides: output size, padding and receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnkit.arithmetic.layer_row import LayerRow
from cnnkit.arithmetic.sliding_layers import Slide

AXES = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Formula:
    """One number of a layer and its formula: `height: floor((28 + 2*1 - 3)/2) + 1 = 14`."""

    quantity: str
    expression: str
    result: int

    def __str__(self) -> str:
        return f"{self.quantity}: {self.expression} = {self.result:,}"


def size_formulas(found: Sequence[Slide]) -> list[Formula]:
    """Return the formulas of the output size along each axis; only one formula for equal axes."""
    formulas = []
    axes = AXES[len(found)]
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


def field_formulas(
    rows: Sequence[LayerRow], row: LayerRow, found: Sequence[Slide]
) -> list[Formula]:
    """Return size + (window - 1) * stride so far, the receptive field of one row.

    Args:
        rows: the whole stack.
        row: a row whose layer slides a window.
        found: how its window slides along each axis.
    """
    if row.receptive_field is None:
        return []
    before = rows[row.inputs[0]] if row.inputs[0] >= 0 else None
    sizes = before.receptive_field if before else (1, 1)
    strides = before.field_stride if before else (1, 1)
    if sizes is None or strides is None:
        return []
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
