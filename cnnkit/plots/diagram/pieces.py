"""Make the smallest pieces of a drawing: the map, bar or symbol of one step, with its words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnnkit.plots.diagram.boxes import Body, Box, Open, Text
from cnnkit.plots.diagram.steps import Step
from cnnkit.plots.diagram.words import lines_of, size_words

LETTERS = {"size": 8.0, "operation": 7.0, "pill": 7.0, "count": 11.0}  # size in points by role
SPACE = 0.08  # around texts
JOIN = 0.2  # before a symbol

_LETTER_WIDTH = 0.6  # as a share of the size; a little too wide, so that texts do not touch
_LINE_HEIGHT = 1.25
_ARROW = 0.34  # from a map to the next one
_CIRCLE = 0.3
_GATE = 0.17
_GATE_LENGTH = 0.6
_BAR = 0.11
_SMALLEST = 0.16  # smallest side of a map, as a share of the largest map
_MOST_SHEETS = 14
_SHIFT = 0.028  # from sheet to sheet, as a share of the largest map


@dataclass(frozen=True)
class Scale:
    """How large maps are drawn.

    Args:
        unit: side of the largest map, in inches.
        largest: height or width of the largest map, in numbers.
    """

    unit: float
    largest: float

    def body(self, position: int, step: Step) -> Body:
        """Return what is drawn for a step that is not a symbol, placed at (0, 0)."""
        if step.shape is None:
            return Body(position, "unknown", 0, 0, 0.4 * self.unit, 0.4 * self.unit)
        if len(step.shape) == 1:
            # The length grows slowly, so that 4,096 units fit next to 10.
            height = self.unit * (0.3 + 0.07 * math.log2(max(1, step.shape[0])))
            return Body(position, "bar", 0, 0, _BAR, height)
        height, width = map(self._length, sides(step))
        sheets = _sheets(step.shape[-1])
        depth = (sheets - 1) * _SHIFT * self.unit
        return Body(position, "sheets", 0, 0, width, height, sheets, depth)

    def _length(self, size: float) -> float:
        # The square root keeps small maps visible next to large ones.
        return self.unit * max(_SMALLEST, math.sqrt(size / self.largest))


def sides(step: Step) -> tuple[float, ...]:
    """Return (height, width) of a map, () for other steps; a sequence is a thin column."""
    if step.shape is None or len(step.shape) == 1 or step.symbol:
        return ()
    return (step.shape[0], 1.0) if len(step.shape) == 2 else step.shape[-3:-1]


def _sheets(channels: int) -> int:
    """Return how many sheets are drawn for the channels: 6 for 6, 10 for 64, 14 for 1024."""
    if channels <= 6:
        return max(1, channels)
    return min(_MOST_SHEETS, round(6 + 1.1 * math.log2(channels / 6)))


def cell(position: int, step: Step, scale: Scale) -> Box:
    """Return the arrow, the map, its size above and the operation below."""
    size = text([size_words(step.shape)], "size")
    words = text(lines_of(step.words), "operation")
    body = scale.body(position, step)
    across = body.width + body.depth
    wide = max(across, size.width)
    arrow = max(_ARROW if step.inputs else 0.0, words.width - wide)
    body = replace(body, x=arrow + (wide - across) / 2, y=size.height + SPACE / 2)
    bottom = body.y + body.height + body.depth + SPACE
    middle = (arrow + wide) / 2 if step.inputs else arrow + wide / 2
    size = replace(size, x=arrow + wide / 2, y=size.height / 2)
    words = replace(words, x=middle, y=bottom + words.height / 2)
    return _box(arrow + wide + SPACE, bottom + words.height, body, [size, words])


def symbol(position: int, step: Step, reach: float = 0.0) -> Box:
    """Return the symbol where branches meet, with the words of what follows on its right.

    Args:
        position: position of the step.
        step: a step with a symbol.
        reach: height from the highest to the lowest branch, which a gate has to cover.
    """
    words = text(lines_of(step.words), "operation")
    if step.symbol == "concat":
        length = max(_GATE_LENGTH, reach + 0.2)
        body = Body(position, "gate", JOIN, 0, _GATE, length)
    else:
        body = Body(position, "circle", JOIN, 0, _CIRCLE, _CIRCLE)
    right = body.x + body.width
    place = (right + SPACE / 2 + words.width / 2, body.axis + SPACE / 2 + words.height / 2)
    words = replace(words, x=place[0], y=place[1])
    height = max(body.height, body.axis + SPACE + words.height)
    return _box(right + words.width + SPACE, height, body, [words])


def bare_wire(width: float = 0.4) -> Box:
    """Return a wire on which nothing happens."""
    return Box(width, 0.16, 0.08, 0.08, through=(((0.0, 0.08), (width, 0.08)),))


def named_wire(position: int, step: Step) -> Box:
    """Return a wire with an operation written on it."""
    words = text(lines_of(step.words, 40), "pill")
    body = Body(position, "pill", 0.3, 0.02, words.width + 0.12, words.height + 0.08)
    words = replace(words, x=body.x + body.width / 2, y=body.axis)
    return _box(body.width + 0.5, body.height + 0.04, body, [words])


def text(lines: Sequence[str], role: str) -> Text:
    """Return lines centred on (0, 0), with the width and height that they need."""
    letter = LETTERS[role] / 72
    width = max(map(len, lines), default=0) * letter * _LETTER_WIDTH
    return Text(tuple(lines), 0, 0, width, len(lines) * letter * _LINE_HEIGHT, role)


def _box(width: float, height: float, body: Body, texts: Sequence[Text]) -> Box:
    entries, exits = (Open(body.step, (body.left,)),), (Open(body.step, (body.right,)),)
    written = tuple(part for part in texts if part.lines)
    return Box(width, height, body.axis, body.axis, (body,), written, entries=entries, exits=exits)
