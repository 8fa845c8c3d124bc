"""Find out which steps of a drawing follow each other and which are in parallel, as a tree.

Every step through which all data must pass divides its line. The steps between two of them form
lanes that are not connected to each other, and each lane is divided in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnkit.plots.diagram.steps import Step

_MOST_UNFOLDED = 24  # steps; in a longer drawing equal parts are drawn once
_MOST_EQUAL = 3  # equal single steps in a row are drawn one by one up to this number


@dataclass(frozen=True)
class Parallel:
    """Lanes that start at the same step; `merge` joins them, or the next step if it is None."""

    lanes: tuple[Series, ...]
    merge: int | None = None


@dataclass(frozen=True)
class Tangle:
    """Steps whose connections cross, drawn in one line with arcs between distant steps.

    Args:
        members: the steps, in the order of the data.
        start: the step before them.
        end: the step after them.
    """

    members: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Repeat:
    """Equal parts that follow each other, drawn once.

    Args:
        series: the first of them.
        count: number of equal parts.
        folded: the steps that are not drawn.
    """

    series: Series
    count: int
    folded: tuple[int, ...]


Item = int | Parallel | Tangle | Repeat
Series = tuple["Item", ...]


def tree_of(steps: Sequence[Step]) -> Series:
    """Return the tree of a drawing; in a long one, equal parts are folded."""
    tree = (0, *_Graph(steps).series(0, range(1, len(steps)), len(steps)))
    return fold(tree, steps) if len(steps) > _MOST_UNFOLDED else tree


class _Graph:
    """Which steps take the output of each step.

    An imaginary step after all others takes the outputs that no other step takes.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.inputs = [step.inputs for step in steps]
        self.symbols = [bool(step.symbol) for step in steps]
        self.takers: list[list[int]] = [[] for _ in steps]
        for position, step in enumerate(steps):
            for before in step.inputs:
                self.takers[before].append(position)
        for takers in self.takers:
            takers[:] = takers or [len(steps)]

    def series(self, start: int, inside: Sequence[int], end: int) -> Series:
        """Return what is between two steps; a direct connection of the two is not part of it."""
        items: list[Item] = []
        stretch: list[int] = []
        last, reach, before = start, 0, start
        for step in [*inside, end]:
            # All data passes through a step if no connection reaches beyond it.
            reach = max([reach, *self._inner_takers(before, start, inside, end)])
            before = step
            if reach > step:
                stretch.append(step)
                continue
            direct = self.takers[last].count(step) if (last, step) != (start, end) else 0
            joins = step != end and self.symbols[step]  # the caller joins the lanes of the end
            items += self._stretch(last, stretch, step, direct, step if joins else None)
            if step != end and not _is_merged(items, step):
                items.append(step)
            last, stretch = step, []
        return tuple(items)

    def _inner_takers(
        self, step: int, start: int, inside: Sequence[int], end: int
    ) -> Iterator[int]:
        for taker in self.takers[step]:
            if taker in inside or (taker == end and step != start):
                yield taker

    def _stretch(
        self, start: int, inside: Sequence[int], end: int, direct: int, merge: int | None
    ) -> Iterator[Item]:
        parts = self._parts(inside)
        if not parts and direct == 1:
            return
        if len(parts) == 1 and not direct:
            yield Tangle(tuple(inside), start, end)
            return
        order = self.inputs[end] if end < len(self.inputs) else ()
        lanes: list[tuple[int, Series]] = [
            (order.index(start) if start in order else 0, ())
        ] * direct
        for part in parts:
            place = [number for number, step in enumerate(order) if step in part]
            lanes.append((min(place, default=part[0]), self.series(start, part, end)))
        lanes.sort(key=lambda lane: lane[0])
        yield Parallel(tuple(lane for _, lane in lanes), merge)

    def _parts(self, inside: Sequence[int]) -> list[list[int]]:
        """Return the groups of steps that are connected without the steps at both ends."""
        part_of = {step: [step] for step in inside}
        for step in inside:
            for taker in self.takers[step]:
                if taker in part_of and part_of[taker] is not part_of[step]:
                    part_of[step] += part_of[taker]
                    part_of.update(dict.fromkeys(part_of[taker], part_of[step]))
        distinct = {id(part): part for part in part_of.values()}
        return [sorted(part) for part in distinct.values()]


def _is_merged(items: Sequence[Item], step: int) -> bool:
    return bool(items) and isinstance(items[-1], Parallel) and items[-1].merge == step


def fold(series: Series, steps: Sequence[Step]) -> Series:
    """Return the series with each run of equal parts replaced by one `Repeat`."""
    items: list[Item] = []
    rest = tuple(_fold_inside(item, steps) for item in series)
    seen = [_looks(item, steps) for item in rest]
    position = 0
    while position < len(rest):
        length, count = _run(rest, seen, position)
        while count > 1 and _run(rest, seen, position + 1) == (length, count):
            items.append(rest[position])  # if the run can be cut in several ways, take the last one
            position += 1
        end = position + length * count
        if count == 1:
            items.append(rest[position])
            position += 1
            continue
        folded = tuple(s for item in rest[position + length : end] for s in steps_in(item))
        items.append(Repeat(rest[position : position + length], count, folded))
        position = end
    return tuple(items)


def _fold_inside(item: Item, steps: Sequence[Step]) -> Item:
    if isinstance(item, Parallel):
        return Parallel(tuple(fold(lane, steps) for lane in item.lanes), item.merge)
    return item


def _run(rest: Sequence[Item], seen: Sequence[object], start: int) -> tuple[int, int]:
    """Return (length, count) of the equal parts that begin here and save the most steps."""
    best = (1, 1)
    for length in range(1, (len(rest) - start) // 2 + 1):
        part = seen[start : start + length]
        count = 1
        while seen[start + length * count : start + length * (count + 1)] == part:
            count += 1
        single = length == 1 and isinstance(rest[start], int)
        if count > (_MOST_EQUAL if single else 1) and length * (count - 1) > best[0] * (
            best[1] - 1
        ):
            best = (length, count)
    return best


def steps_in(item: Item | Series) -> Iterator[int]:
    """Yield every step of a part of the tree, including folded ones."""
    if isinstance(item, int):
        yield item
    elif isinstance(item, Tangle):
        yield from item.members
    elif isinstance(item, Repeat):
        yield from (*steps_in(item.series), *item.folded)
    elif isinstance(item, Parallel):
        yield from steps_in(item.lanes)
        if item.merge is not None:
            yield item.merge
    else:
        for part in item:
            yield from steps_in(part)


def _looks(item: Item, steps: Sequence[Step]) -> object:
    """Return everything that a drawing shows of an item, to compare it with other items."""
    if isinstance(item, int):
        return (steps[item].symbol, steps[item].words, steps[item].shape)
    if isinstance(item, Parallel):
        lanes = tuple(tuple(_looks(part, steps) for part in lane) for lane in item.lanes)
        return (lanes, None if item.merge is None else _looks(item.merge, steps))
    if isinstance(item, Repeat):
        return (item.count, tuple(_looks(part, steps) for part in item.series))
    return item
