"""Lay out steps whose connections cross: in one line, with arcs above it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from cnnkit.plots.diagram.boxes import Box, Open, Point, Wire, tidy, together
from cnnkit.plots.diagram.steps import Step
from cnnkit.plots.diagram.tree import Tangle

_GAP = 0.4  # inches between two steps, for the ends of arcs
_LEVEL = 0.12  # inches from one arc to the next one above it


def tangled(tangle: Tangle, cells: Sequence[Box], steps: Sequence[Step]) -> Box:
    """Return the cells of the members in one line, connected like their steps.

    Args:
        tangle: the tangle; its members are in the order of the data.
        cells: one per member.
        steps: the steps of the whole drawing.
    """
    axis = max(cell.entry for cell in cells)
    placed: list[Box] = []
    right = 0.0
    for cell in cells:
        placed.append(cell.moved(right + _GAP, axis - cell.entry))
        right = placed[-1].width
    lefts = [0.0, *(cell.width for cell in placed)]
    spans = list(_spans(tangle, steps))
    levels = _levels([span[:2] for span in spans])
    wires: list[Wire] = []
    entries: list[Open] = []
    exits: list[Open] = []
    for (first, last, source), level in zip(spans, levels, strict=True):
        begin = placed[first].bodies[0].right if first >= 0 else (0.0, axis)
        end = placed[last].bodies[0].left if last < len(placed) else (right + _GAP, axis)
        points: tuple[Point, ...] = (begin, end)
        if level is not None:
            points = tidy(_arc(begin, end, lefts[first + 1], lefts[last], level))
        if first < 0:
            entries.append(Open(tangle.members[last], points))
        elif last == len(placed):
            exits.append(Open(source, points))
        else:
            wires.append(Wire(source, tangle.members[last], points))
    closed = [replace(cell, entries=(), exits=()) for cell in placed]
    whole = replace(
        together(closed, axis, axis),
        width=right + _GAP,
        wires=tuple(wires),
        entries=tuple(entries),
        exits=tuple(exits),
    )
    highest = max((level for level in levels if level is not None), default=0)
    return whole.moved(0, _LEVEL * (highest + 2))


def _spans(tangle: Tangle, steps: Sequence[Step]):
    """Yield (start, end, source step) of each connection, as places in the line.

    -1 is before the line, and its length is after it.
    """
    place = {step: number for number, step in enumerate(tangle.members)}
    for step in tangle.members:
        for source in steps[step].inputs:
            yield place.get(source, -1), place[step], source
    taken = [step for part in steps for step in part.inputs]
    for step in tangle.members:
        goes_on = tangle.end < len(steps) and step in steps[tangle.end].inputs
        if goes_on or step not in taken:
            yield place[step], len(tangle.members), step


def _levels(spans: Sequence[tuple[int, int]]) -> list[int | None]:
    """Return a level for each arc so that arcs do not overlap; None between neighbours."""
    kept: list[tuple[int, int, int]] = []
    levels: list[int | None] = []
    for first, last in spans:
        if last == first + 1:
            levels.append(None)
            continue
        taken = {level for level, start, end in kept if first < end and start < last}
        level = next(number for number in itertools.count() if number not in taken)
        kept.append((level, first, last))
        levels.append(level)
    return levels


def _arc(begin: Point, end: Point, up: float, down: float, level: int) -> list[Point]:
    """Return a line up after the first step, along its level, and down before the last step."""
    spread = 0.03 * (level % 4)  # so that the vertical parts of arcs at one step do not coincide
    height = -_LEVEL * (level + 1)
    rise, fall = up + 0.05 + spread, down + _GAP / 2 + spread
    return [begin, (rise, begin[1]), (rise, height), (fall, height), (fall, end[1]), end]
