"""Decide the place of everything in a drawing, in inches."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from cnnkit.plots.diagram.boxes import (
    Body,
    Box,
    Frame,
    Open,
    Wire,
    connected,
    in_line,
    tidy,
    together,
)
from cnnkit.plots.diagram.pieces import (
    JOIN,
    SPACE,
    Scale,
    bare_wire,
    cell,
    named_wire,
    sides,
    symbol,
    text,
)
from cnnkit.plots.diagram.steps import Step
from cnnkit.plots.diagram.tangle import tangled
from cnnkit.plots.diagram.tree import Item, Parallel, Repeat, Series, Tangle, steps_in, tree_of

_WIDEST = 20.0
_FORK = 0.24  # from the left edge of parallel lanes to their first step
_ROOM_FOR_SYMBOL = 0.7
_BETWEEN_LANES = 0.14
_BETWEEN_LINES = 0.4
_RETURN = 0.16  # on both sides of the lines, for the wire from one line to the next
_FRAME = 0.14
_MARGIN = 0.15


def layout_of(steps: Sequence[Step]) -> Box:
    """Return the layout: every body, text, frame and wire in its place."""
    tree = tree_of(steps)
    box = _Layout(steps, _scale(steps, tree)).series(tree, _WIDEST).moved(_MARGIN, _MARGIN)
    return replace(box, width=box.width + _MARGIN, height=box.height + _MARGIN)


def _scale(steps: Sequence[Step], tree: Series) -> Scale:
    """Return the scale: large for few steps, small for many lanes."""
    lanes = _most_lanes(tree)
    # Inches, chosen by eye so that LeNet-5 and GoogLeNet both fit on a page.
    unit = 0.95 if lanes > 2 else 1.2 if len(steps) > 12 else 1.6
    return Scale(unit, max((size for step in steps for size in sides(step)), default=1.0))


def _most_lanes(series: Series) -> int:
    most = 1
    for item in series:
        if isinstance(item, Repeat):
            most = max(most, _most_lanes(item.series))
        elif isinstance(item, Parallel):
            inside = [_most_lanes(lane) for lane in item.lanes if lane]
            most = max([most, len(inside), *inside])
    return most


class _Layout:
    """Lay out parts of a tree at one scale; `room` is the width that a part should not exceed."""

    def __init__(self, steps: Sequence[Step], scale: Scale) -> None:
        self.steps = steps
        self.scale = scale

    def series(self, series: Series, room: float) -> Box:
        """Return items one after the other, broken into lines if they are too wide."""
        boxes = [self._item(item, room) for item in series]
        lines = [in_line(_levelled(line)) for line in _lines(boxes, room)]
        return lines[0] if len(lines) == 1 else _below_each_other(lines)

    def _item(self, item: Item, room: float) -> Box:
        if isinstance(item, Parallel):
            return self._parallel(item, room - _FORK - _ROOM_FOR_SYMBOL)
        if isinstance(item, Repeat):
            return _framed(self.series(item.series, room - 3 * _FRAME), item.count)
        if isinstance(item, Tangle):
            cells = [self._item(member, room) for member in item.members]
            return tangled(item, cells, self.steps)
        step = self.steps[item]
        return symbol(item, step) if step.symbol else cell(item, step, self.scale)

    def _parallel(self, item: Parallel, room: float) -> Box:
        """Return lanes below each other, shortcuts at the top, and the symbol where they meet."""
        # `sorted` keeps the order of the config among shortcuts and among the other lanes.
        lanes = sorted(item.lanes, key=lambda lane: not self._is_shortcut(lane, item))
        boxes = [self._lane(lane, self._is_shortcut(lane, item), room) for lane in lanes]
        wide = max(box.width for box in boxes)
        boxes = [_widened(box, wide) for box in boxes]
        heights = [box.height + _BETWEEN_LANES for box in boxes]
        tops = itertools.accumulate(heights[:-1], initial=0.0)
        boxes = [box.moved(_FORK, top) for box, top in zip(boxes, tops, strict=True)]
        long = [
            box for box, lane in zip(boxes, lanes, strict=True) if not self._is_shortcut(lane, item)
        ]
        ends = long if len(long) == 1 else [boxes[0], boxes[-1]]
        entry = (ends[0].entry + ends[-1].entry) / 2
        leaving = (ends[0].exit + ends[-1].exit) / 2
        boxes = [_led_from(box, entry) for box in boxes]
        if item.merge is None:
            return _joined(boxes, entry, leaving)
        reach = max(box.exit for box in boxes) - min(box.exit for box in boxes)
        meeting = symbol(item.merge, self.steps[item.merge], reach)
        return _merged(boxes, entry, leaving, meeting)

    def _lane(self, lane: Series, shortcut: bool, room: float) -> Box:
        if not lane:
            return bare_wire()
        if shortcut:
            return named_wire(lane[0], self.steps[lane[0]])
        return self.series(lane, room)

    def _is_shortcut(self, lane: Series, item: Parallel) -> bool:
        """Return whether a lane is drawn as an arc: it is empty, or only a projection."""
        if item.merge is None or self.steps[item.merge].symbol == "concat":
            return False
        if len(lane) != 1 or not isinstance(lane[0], int):
            return not lane
        step = self.steps[lane[0]]
        longest = max(sum(1 for _ in steps_in(other)) for other in item.lanes)
        fits = step.window == (1, 1) and len(item.lanes) == 2 and longest > 1
        return step.shortcut or fits


def _widened(lane: Box, width: float) -> Box:
    """Return a lane as wide as the others; a name on an arc is put in its middle."""
    if not lane.bodies:
        return bare_wire(width)
    named = len(lane.bodies) == 1 and lane.bodies[0].form == "pill"
    return replace(lane.moved((width - lane.width) / 2 if named else 0, 0), width=width)


def _led_from(lane: Box, entry: float) -> Box:
    """Return a lane whose wires start at the common start of all lanes."""
    return lane.led([(_FORK / 2, entry), (_FORK / 2, lane.entry)], [])


def _joined(lanes: Sequence[Box], entry: float, leaving: float) -> Box:
    """Return lanes that meet at the next step."""
    right = max(lane.width for lane in lanes)
    join = right + JOIN / 2
    led = [lane.led([], [(join, lane.exit), (join, leaving)]) for lane in lanes]
    return replace(together(led, entry, leaving), width=right + JOIN)


def _merged(lanes: Sequence[Box], entry: float, leaving: float, meeting: Box) -> Box:
    """Return lanes that meet at a symbol."""
    meeting = meeting.moved(max(lane.width for lane in lanes), leaving - meeting.entry)
    body = meeting.bodies[0]
    wired = [_wired(lane, body) for lane in lanes]
    whole = together([*wired, replace(meeting, entries=())], entry, leaving)
    return whole.moved(0, max(0.0, -body.y))


def _wired(lane: Box, body: Body) -> Box:
    """Return a lane with its wires led to a symbol: from the left, from above or from below."""
    middle, above = body.x + body.width / 2, lane.exit < body.axis
    if body.form == "gate" or abs(lane.exit - body.axis) < 1e-6:
        end = [(body.x, lane.exit)]
    else:
        end = [(middle, lane.exit), (middle, body.y if above else body.y + body.height)]
    wires = tuple(Wire(one.step, body.step, tidy((*one.points, *end))) for one in lane.exits)
    ends = tuple(Open(body.step, (*line, *end)) for line in lane.through)
    return replace(
        lane, wires=lane.wires + wires, entries=lane.entries + ends, exits=(), through=()
    )


def _framed(inside: Box, count: int) -> Box:
    """Return a part with a frame that shows how often it is repeated."""
    times = text([f"x {count}"], "count")
    inside = inside.moved(_FRAME * 1.5, times.height + SPACE)
    right, bottom = inside.width + _FRAME, inside.height + _FRAME
    times = replace(times, x=right - SPACE - times.width / 2, y=times.height / 2 + 0.02)
    frame = Frame(_FRAME, 0, right - _FRAME, bottom, count)
    return replace(
        inside,
        width=right + _FRAME / 2,
        height=bottom,
        frames=(*inside.frames, frame),
        texts=(*inside.texts, times),
    )


def _lines(boxes: Sequence[Box], room: float) -> list[list[Box]]:
    """Return the boxes in as few lines as possible, all of about the same width."""
    best = _filled(boxes, room)
    widest = max(box.width for box in boxes)
    while room > widest:
        # Make the room narrower until one more line would be needed.
        room = max(widest, room - 0.25)
        tighter = _filled(boxes, room)
        if len(tighter) > len(best):
            break
        best = tighter
    return best


def _filled(boxes: Sequence[Box], room: float) -> list[list[Box]]:
    lines: list[list[Box]] = [[]]
    used = 0.0
    for box in boxes:
        if lines[-1] and used + box.width > room:
            lines.append([])
            used = 0.0
        lines[-1].append(box)
        used += box.width
    return lines


def _levelled(line: Sequence[Box]) -> list[Box]:
    """Return a line in which the operations of neighbouring maps are at the same height.

    They are below the lowest of these maps.
    """
    levelled: list[Box] = []
    for alone, group in itertools.groupby(line, lambda box: len(box.bodies) == 1):
        run = list(group)
        below = max(map(_words_below, run)) if alone else 0.0
        levelled += [_with_words(box, below - _words_below(box)) if alone else box for box in run]
    return levelled


def _words_below(box: Box) -> float:
    """Return how far the lower end of a single map is below its axis."""
    body = box.bodies[0]
    return body.y + body.height + body.depth - body.axis


def _with_words(box: Box, lower: float) -> Box:
    texts = tuple(
        replace(part, y=part.y + lower) if part.role == "operation" else part for part in box.texts
    )
    return replace(box, texts=texts, height=box.height + lower)


def _below_each_other(lines: Sequence[Box]) -> Box:
    """Return lines in reading order, with a wire from the end of each line to the next one."""
    right = max(line.width for line in lines) + _RETURN
    placed: list[Box] = []
    top = 0.0
    for number, line in enumerate(lines, 1):
        line = line.moved(_RETURN, top)
        before = [(_RETURN / 3, top - _BETWEEN_LINES / 2), (_RETURN / 3, line.entry)]
        below = line.height + _BETWEEN_LINES / 2
        after = [(right + _RETURN / 2, line.exit), (right + _RETURN / 2, below)]
        placed.append(line.led(before if placed else [], after if number < len(lines) else []))
        top = line.height + _BETWEEN_LINES
    return replace(connected(placed), width=right + _RETURN)
