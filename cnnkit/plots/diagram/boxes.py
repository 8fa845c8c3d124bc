"""Combine pieces of a drawing into larger ones, and connect their wires.

A piece knows its open wires: those that wait for a step before or after it, and those that run
through it. All lengths are in inches, and y grows downwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

Point = tuple[float, float]

_SMALL = 1e-6  # inches; rounding errors are smaller


@dataclass(frozen=True)
class Body:
    """The map, bar, symbol or named wire that is drawn for a step.

    Args:
        step: position of the step.
        form: sheets, bar, circle, gate, pill, or unknown for a map of unknown shape.
        x: left end, including the sheets at the back.
        y: upper end.
        width: width of one sheet.
        height: height of one sheet.
        sheets: number of sheets that are drawn.
        depth: how far the front sheet is to the right of and below the last one.
    """

    step: int
    form: str
    x: float
    y: float
    width: float
    height: float
    sheets: int = 1
    depth: float = 0.0

    @property
    def front(self) -> Point:
        """The upper left corner of the front sheet."""
        return self.x + self.depth, self.y + self.depth

    @property
    def axis(self) -> float:
        """The y at which wires begin and end."""
        return self.y + (self.height + self.depth) / 2

    @property
    def left(self) -> Point:
        """The point where a wire to it ends."""
        # The left edge of a stack of sheets is a diagonal; this is its point at the axis.
        return self.x + max(0.0, (self.depth - self.height) / 2), self.axis

    @property
    def right(self) -> Point:
        """The point where a wire from it begins."""
        return self.x + min(self.depth, (self.depth + self.height) / 2) + self.width, self.axis


@dataclass(frozen=True)
class Text:
    """Lines of text centred on a point; `role` is size, operation, count or pill."""

    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    role: str


@dataclass(frozen=True)
class Frame:
    """A box around a part that is repeated `count` times."""

    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True)
class Wire:
    """A connection between two steps, along its points from the first to the last."""

    source: int
    target: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Open:
    """A wire that is connected at one end only: its points from a step, or to a step."""

    step: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Box:
    """A piece of the drawing.

    Args:
        width: its width.
        height: its height.
        entry: the y at which data comes in on the left.
        exit: the y at which data goes out on the right.
        bodies: the bodies of its steps.
        texts: the texts next to them.
        frames: frames around repeated parts.
        wires: wires between its steps.
        entries: wires that wait for a step before it.
        exits: wires that wait for a step after it.
        through: wires that wait for both.
    """

    width: float
    height: float
    entry: float
    exit: float
    bodies: tuple[Body, ...] = ()
    texts: tuple[Text, ...] = ()
    frames: tuple[Frame, ...] = ()
    wires: tuple[Wire, ...] = ()
    entries: tuple[Open, ...] = ()
    exits: tuple[Open, ...] = ()
    through: tuple[tuple[Point, ...], ...] = ()

    def moved(self, right: float, down: float) -> Box:
        """Return the box moved to the right and down; its width and height grow by as much."""

        def pieces(parts: Iterable) -> tuple:
            return tuple(replace(part, x=part.x + right, y=part.y + down) for part in parts)

        def points(line: Iterable[Point]) -> tuple[Point, ...]:
            return tuple((x + right, y + down) for x, y in line)

        def wires(lines: Iterable) -> tuple:
            return tuple(replace(line, points=points(line.points)) for line in lines)

        return Box(
            self.width + right,
            self.height + down,
            self.entry + down,
            self.exit + down,
            pieces(self.bodies),
            pieces(self.texts),
            pieces(self.frames),
            wires(self.wires),
            wires(self.entries),
            wires(self.exits),
            tuple(map(points, self.through)),
        )

    def led(self, before: Sequence[Point], after: Sequence[Point]) -> Box:
        """Return the box with its open wires extended by points before and after it."""
        before, after = tuple(before), tuple(after)
        return replace(
            self,
            entries=tuple(Open(end.step, before + end.points) for end in self.entries),
            exits=tuple(Open(end.step, end.points + after) for end in self.exits),
            through=tuple(before + line + after for line in self.through),
        )


def connected(boxes: Sequence[Box]) -> Box:
    """Return placed boxes as one box, each connected to the next one."""
    whole = boxes[0]
    for box in boxes[1:]:
        whole = _pair(whole, box)
    return whole


def _pair(one: Box, two: Box) -> Box:
    wires = tuple(
        Wire(end.step, start.step, tidy(end.points + start.points))
        for end in one.exits
        for start in two.entries
    )
    reached = tuple(
        Open(start.step, line + start.points) for line in one.through for start in two.entries
    )
    left = tuple(Open(end.step, end.points + line) for end in one.exits for line in two.through)
    return Box(
        max(one.width, two.width),
        max(one.height, two.height),
        one.entry,
        two.exit,
        one.bodies + two.bodies,
        one.texts + two.texts,
        one.frames + two.frames,
        one.wires + two.wires + wires,
        one.entries + reached,
        two.exits + left,
        tuple(first + second for first in one.through for second in two.through),
    )


def together(boxes: Sequence[Box], entry: float, exit: float) -> Box:
    """Return placed boxes as one box without connecting them; all their wires stay open."""

    def all_of(name: str) -> tuple:
        return tuple(part for box in boxes for part in getattr(box, name))

    names = ("bodies", "texts", "frames", "wires", "entries", "exits", "through")
    width, height = (max(getattr(box, name) for box in boxes) for name in ("width", "height"))
    return Box(width, height, entry, exit, **{name: all_of(name) for name in names})


def in_line(boxes: Sequence[Box]) -> Box:
    """Return boxes in a line from left to right; each begins at the y where the one before ends."""
    down, x, y = [], 0.0, 0.0
    for box in boxes:
        down.append(y - box.entry)
        y += box.exit - box.entry
    top = min(down)
    placed = []
    for box, lower in zip(boxes, down, strict=True):
        placed.append(box.moved(x, lower - top))
        x += box.width
    return connected(placed)


def tidy(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return a line without repeated points and points on a straight segment.

    >>> tidy([(0, 0), (1, 0), (1, 0), (2, 0), (2, 5)])
    ((0, 0), (2, 0), (2, 5))
    """
    kept: list[Point] = []
    for point in points:
        while len(kept) > 1 and _straight(kept[-2], kept[-1], point):
            kept.pop()
        if not kept or max(abs(a - b) for a, b in zip(kept[-1], point, strict=True)) > _SMALL:
            kept.append(point)
    return tuple(kept)


def _straight(one: Point, two: Point, three: Point) -> bool:
    area = (two[0] - one[0]) * (three[1] - one[1]) - (three[0] - one[0]) * (two[1] - one[1])
    return abs(area) < _SMALL
