"""The layers that exercises are about: drawn, in words, and with the formulas of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cnnkit.arithmetic import LayerRow, formulas_of, output_row, times, walk_stack
from cnnkit.config import read_layers
from cnnkit.quiz.typed_answers import Sizes
from cnnkit.text import count_of

Layer = dict[str, dict[str, Any]]

SHAPE = ("height", "width", "channels")


@dataclass(frozen=True)
class Network:
    """A small stack of layers.

    Args:
        input_shape: (height, width, channels).
        layers: as in the YAML of a config.
        num_classes: units of an output layer after them; 0 for none.
    """

    input_shape: tuple[int, ...]
    layers: Sequence[Layer]
    num_classes: int = 0

    @cached_property
    def rows(self) -> list[LayerRow]:
        """The layer table, as `cnnkit summary` has it."""
        rows = walk_stack(read_layers(self.layers), self.input_shape)
        return (
            [*rows, output_row(rows, self.num_classes, sigmoid=False)] if self.num_classes else rows
        )

    @cached_property
    def names(self) -> list[str]:
        """The layers as conv_1, conv_2, ...; without a number if there is only one."""
        kinds = [row.name for row in self.rows]
        return [
            kind if kinds.count(kind) == 1 else f"{kind}_{kinds[: i + 1].count(kind)}"
            for i, kind in enumerate(kinds)
        ]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape that the last layer returns."""
        return self.rows[-1].output_shape or ()

    @property
    def shape_answer(self) -> Sizes:
        """The output shape as an answer."""
        return Sizes(self.output_shape, SHAPE)

    @property
    def given(self) -> dict[str, Any]:
        """The network as plain values."""
        return {"input_shape": list(self.input_shape), "layers": list(self.layers)} | (
            {"num_classes": self.num_classes} if self.num_classes else {}
        )

    def lines(self) -> tuple[str, ...]:
        """Return the input and the layers, one per line."""
        words = [words_of(layer) for layer in self.layers]
        if self.num_classes:
            words.append(f"dense, {self.num_classes} units")
        width = max(map(len, ["input", *self.names]))
        pairs = zip(["input", *self.names], [times(self.input_shape), *words], strict=True)
        return tuple(f"{name.ljust(width)}  {text}".rstrip() for name, text in pairs)

    def worked(self, quantities: Sequence[str], *, shapes: bool = False) -> Iterator[str]:
        """Yield the formulas of each layer, as `cnnkit summary --explain` has them.

        Args:
            quantities: how the names of the wanted ones begin.
            shapes: whether the output shape of each layer follows its formulas.
        """
        for position, (name, row) in enumerate(zip(self.names, self.rows, strict=True)):
            found = [
                str(formula)
                for formula in formulas_of(self.rows, position)
                if formula.quantity.startswith(tuple(quantities))
                and not formula.quantity.startswith("parameters if")
            ]
            if shapes:
                found.append(f"output: {times(row.output_shape or ())}")
            yield from (f"{name}: {line}" for line in found)


def conv(filters: int, kernel: int, stride: int = 1, padding: str = "valid", **more: Any) -> Layer:
    """Return a convolution."""
    arguments = {"filters": filters, "kernel_size": kernel, "strides": stride, "padding": padding}
    return {"conv": {**arguments, **more}}


def pool(kind: str, size: int, stride: int, padding: str = "valid") -> Layer:
    """Return a max or average pooling."""
    return {"pool": {"type": kind, "pool_size": size, "strides": stride, "padding": padding}}


def words_of(layer: Layer) -> str:
    """Return the arguments of a layer in words.

    >>> words_of(conv(8, 3, 2, "same"))
    '8 filters of 3 x 3, stride 2, padding same'
    """
    ((name, given),) = layer.items()
    if name in ("conv", "depthwise_conv"):
        return _sliding_words(given)
    if name == "pool":
        size = times([given["pool_size"]] * 2)
        return f"{given['type']}, {size}, stride {given['strides']}, padding {given['padding']}"
    if name == "dense":
        return f"{given['units']} units"
    if name == "ZeroPadding2D":
        return f"adds {count_of(given['padding'], 'zero')} on each of the four sides"
    return "average" if name == "global_pool" else ""


def _sliding_words(given: dict[str, Any]) -> str:
    size = times([given["kernel_size"]] * 2)
    if "filters" in given:
        size = f"{count_of(given['filters'], 'filter')} of {size}"
    words = [size, f"stride {given['strides']}", f"padding {given['padding']}"]
    if given.get("dilation_rate", 1) > 1:
        words.append(f"dilation {given['dilation_rate']}")
    if not given.get("use_bias", True):
        words.append("no bias")
    return ", ".join(words)
