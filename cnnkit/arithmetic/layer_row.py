"""One row of the layer table: the shapes, costs and receptive field of a layer, and its detail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnkit.arithmetic.layer_effect import Shape, borders, spread, times
from cnnkit.arithmetic.nodes import MERGES, Node, Path

# A training step is a forward pass, and the gradients of the maps and of the weights.
TRAINING_PASSES = 3


@dataclass(frozen=True)
class LayerRow:
    """One layer of a stack and what it does to the map that passes through it.

    Args:
        path: its place below `model.layers`.
        name: its name in the config.
        kind: a Keras class, SqueezeExcite, Shortcut, Add or Concatenate.
        detail: its main arguments, for people.
        inputs: positions of the rows whose outputs it takes; -1 for the image.
        input_shapes: the shapes of these outputs.
        output_shape: (height, width, channels) or (units,); None if known to Keras only.
        parameters: number of trained weights; None if known to Keras only.
        non_trainable: number of other weights, such as the moving averages of batch_norm.
        multiply_adds: multiply-adds for one image; None if known to Keras only.
        receptive_field: (height, width) in pixels of the region that one output number sees, not
            cut off at the border; None if the numbers see regions of different sizes.
        field_stride: (vertical, horizontal) distance in pixels between the regions of neighbours.
        field_start: (row, column) of the first pixel that the number at (0, 0) sees.
        arguments: all arguments.
    """

    path: Path
    name: str
    kind: str
    detail: str
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape | None, ...]
    output_shape: Shape | None
    parameters: int | None
    non_trainable: int = 0
    multiply_adds: int | None = 0
    receptive_field: tuple[int, int] | None = None
    field_stride: tuple[int, int] | None = None
    field_start: tuple[int, int] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def detail(node: Node) -> str:
    """Return the main arguments of a layer, for people."""
    if node.kind in MERGES:
        then = node.arguments.get("activation")
        return node.kind.lower() + (f", {then}" if then else "")
    marks = ["frozen"] * node.frozen + ["shared weights"] * node.shared
    return ", ".join([*_shown({**node.given, **_own(node)}), *marks])


def _own(node: Node) -> dict[str, Any]:
    """Return the arguments that are ours, and not those of a Keras layer."""
    return {k: node.arguments[k] for k in ("pad", "ratio") if node.arguments.get(k) is not None}


def _shown(arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        # The commonest arguments are clear without their name.
        if name in ("filters", "units", "activation", "padding", "rate"):
            yield str(value)
        elif name in ("kernel_size", "pool_size"):
            yield times(spread(value, 2))
        elif name in ("strides", "dilation_rate") and isinstance(value, list | tuple):
            same = len(set(value)) == 1
            yield f"{name} {value[0] if same else times(value)}"
        elif name == "pad":
            yield pad_words(value)
        elif not isinstance(value, dict):
            yield f"{name} {value}"


def pad_words(pad: Mapping[str, Any]) -> str:
    """Return the border of a convolution, for people.

    >>> pad_words({"size": [1, 1], "mode": "edge"})
    'pad 1 edge'
    """
    return f"pad {_border(pad['size'])} {pad['mode']}"


def _border(size: Any) -> str:
    sides = {side for pair in borders(size, 2) for side in pair}
    return str(sides.pop()) if len(sides) == 1 else str(size)
