"""Pieces of a drawing enter; larger pieces leave: behind each other, or with more around them.

A piece knows its open wires: those that wait for a step before it or behind it, and those that run
through it. All lengths are inches, and y grows downwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

Point = tuple[float, float]

_SMALL = 1e-6


@dataclass(frozen=True)
class Body:
    """The map, bar, symbol or named wire of a step.

    Args:
        step: which one.
        form: sheets, bar, circle, gate or pill.
        x: of its left end, the sheets behind included.
        y: of its upper end.
        width: of one sheet.
        height: of one sheet.
        sheets: how many are drawn.
        depth: how far the front sheet is to the right and below the last one.
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
        """The height at which wires come and go."""
        return self.y + (self.height + self.depth) / 2

    @property
    def left(self) -> Point:
        """Where a wire ends."""
        return self.x + max(0.0, (self.depth - self.height) / 2), self.axis

    @property
    def right(self) -> Point:
        """Where a wire begins."""
        return self.x + min(self.depth, (self.depth + self.height) / 2) + self.width, self.axis


@dataclass(frozen=True)
class Text:
    """Lines of text around a point; `role` is size, operation, count or pill."""

    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    role: str


@dataclass(frozen=True)
class Frame:
    """A box around what is repeated."""

    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True)
class Wire:
    """A connection of two steps, from the first of its points to the last."""

    source: int
    target: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Open:
    """A wire with one end: the points from a step on, or to a step."""

    step: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Box:
    """A piece of the drawing.

    Args:
        width: of it.
        height: of it.
        entry: the y at which data comes in at its left.
        exit: the y at which data goes out at its right.
        bodies: of the steps in it.
        texts: beside them.
        frames: around repeated parts.
        wires: between its steps.
        entries: wires that wait for a step before it.
        exits: wires that wait for a step behind it.
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
        """Return its pieces further right and down; width and height as if it grew there."""

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

    def led(self, before: Sequence[Point], behind: Sequence[Point]) -> Box:
        """Return it with the open wires made longer by points before it and behind it."""
        before, behind = tuple(before), tuple(behind)
        return replace(
            self,
            entries=tuple(Open(end.step, before + end.points) for end in self.entries),
            exits=tuple(Open(end.step, end.points + behind) for end in self.exits),
            through=tuple(before + line + behind for line in self.through),
        )


def connected(boxes: Sequence[Box]) -> Box:
    """Return boxes that are in their places as one, each wired to the next."""
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
    """Return boxes that are in their places beside each other as one; their wires stay open."""

    def all_of(name: str) -> tuple:
        return tuple(part for box in boxes for part in getattr(box, name))

    names = ("bodies", "texts", "frames", "wires", "entries", "exits", "through")
    width, height = (max(getattr(box, name) for box in boxes) for name in ("width", "height"))
    return Box(width, height, entry, exit, **{name: all_of(name) for name in names})


def in_line(boxes: Sequence[Box]) -> Box:
    """Return boxes from left to right, each at the height where the one before it ends."""
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
    """Return a line without the points that change nothing.

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
