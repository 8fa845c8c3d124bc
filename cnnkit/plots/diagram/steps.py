"""Group layers into the steps that a drawing shows: a layer with those that keep its map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnkit.arithmetic import IMAGE, MERGES, LayerRow, Shape
from cnnkit.plots.diagram.words import activation_words, operation_words, window_of

SYMBOLS = {
    "Add": "+",
    "Multiply": "\u00d7",
    "Subtract": "\u2212",
    "Concatenate": "concat",
    "Average": "mean",
    "Maximum": "max",
    "Minimum": "min",
}
_KEEPING = (
    "Activation ReLU LeakyReLU PReLU ELU Softmax Identity ActivityRegularization Rescaling "
    "Dropout AlphaDropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianDropout "
    "GaussianNoise BatchNormalization LayerNormalization RMSNormalization GroupNormalization "
    "UnitNormalization Normalization SqueezeExcite"
).split()


@dataclass(frozen=True)
class Step:
    """What a drawing shows at one place: a map, a row of numbers, or a symbol where branches meet.

    Args:
        words: the operation that leads here, or for a symbol the one that follows.
        shape: output shape; None if it is unknown.
        inputs: positions of the steps whose outputs it takes.
        rows: positions of the rows of the layer table that it represents.
        kind: image, conv, pool, dense, other, or merge.
        symbol: symbol of a merge, such as + or concat; a merge has no map.
        window: (height, width) of the window that slides over the map before it.
        output: whether it is the last step.
        shortcut: whether it is in the shortcut of a residual block.
    """

    words: str
    shape: Shape | None
    inputs: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    kind: str = "other"
    symbol: str = ""
    window: tuple[int, ...] | None = None
    output: bool = False
    shortcut: bool = False


def steps_of(rows: Sequence[LayerRow], input_shape: Shape) -> list[Step]:
    """Return the steps in the order of the data; the first is the image."""
    steps = [Step("image", input_shape, kind="image")]
    step_of_row = {IMAGE: 0}
    for group in _groups(rows):
        inputs = tuple(step_of_row[position] for position in rows[group[0]].inputs)
        steps += _steps_of_group(rows, group, inputs, len(steps))
        step_of_row.update(dict.fromkeys(group, len(steps) - 1))
    return steps


def _groups(rows: Sequence[LayerRow]) -> list[list[int]]:
    """Return the rows of each step: an operation, and the layers around it that keep its map."""
    takers = _takers(rows)
    group_of: dict[int, list[int]] = {}
    groups: list[list[int]] = []
    for position, row in enumerate(rows):
        before = row.inputs[0]
        alone = len(row.inputs) == 1 and before != IMAGE and len(takers[before]) == 1
        led = alone and row.kind not in MERGES and _leads(rows, group_of[before])
        if led or (alone and row.kind in _KEEPING):
            group_of[before].append(position)
            group_of[position] = group_of[before]
        else:
            group_of[position] = [position]
            groups.append(group_of[position])
    return groups


def _leads(rows: Sequence[LayerRow], group: Sequence[int]) -> bool:
    """Return whether a group has no operation yet, so that the next one can join it."""
    return all(rows[position].kind in _KEEPING for position in group)


def _takers(rows: Sequence[LayerRow]) -> dict[int, list[int]]:
    takers: dict[int, list[int]] = {position: [] for position in range(-1, len(rows))}
    for position, row in enumerate(rows):
        for before in row.inputs:
            takers[before].append(position)
    return takers


def _steps_of_group(
    rows: Sequence[LayerRow], group: Sequence[int], inputs: tuple[int, ...], position: int
) -> list[Step]:
    words = [operation_words(rows[part]) for part in group]
    main = rows[next((part for part in group if rows[part].kind not in _KEEPING), group[0])]
    shape = rows[group[-1]].output_shape
    output = group[-1] == len(rows) - 1
    if main.kind not in MERGES:
        text = ", ".join(words)
        marks = {"window": window_of(main), "output": output, "shortcut": "shortcut" in main.path}
        return [Step(text, shape, inputs, tuple(group), _kind(main), **marks)]
    words[0] = activation_words(main.arguments)
    text = ", ".join(part for part in words if part)
    symbol = SYMBOLS[main.kind]
    if main.kind != "Concatenate":
        return [Step(text, shape, inputs, tuple(group), "merge", symbol, output=output)]
    # A concatenation has a new map, so it becomes two steps: the symbol and the map.
    met = Step("", shape, inputs, tuple(group), "merge", symbol)
    return [met, Step(text, shape, (position,), output=output)]


def _kind(row: LayerRow) -> str:
    if row.kind == "Dense":
        return "dense"
    return next((word for word in ("conv", "pool") if word in row.kind.lower()), "other")
