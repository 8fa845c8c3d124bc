"""Small charts as SVG text: curves over epochs, calibration. Their colours are the page's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup

MOST_LINES = 6  # with colours that can be told apart
_WIDTH, _HEIGHT = 360, 236  # so that text of 12 is readable on a phone
_ABOVE, _BELOW, _MARGIN = 20, 40, 12
_LETTER = 7  # width of a digit
_MOST_TICKS, _MOST_DOTS = 5, 40
_PADDING = 0.04  # of an axis, beyond the lowest and the highest value


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        name: for the legend.
        points: (x, y).
    """

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Args:
        label: with the unit if there is one.
        low: its lowest number.
        high: its highest number; larger than `low`.
        whole: whether only whole numbers are marked.
    """

    label: str
    low: float
    high: float
    whole: bool = False

    def ticks(self) -> list[float]:
        """Return round numbers on the axis.

        >>> Axis("epoch", 1, 16, whole=True).ticks()
        [5, 10, 15]
        """
        step = 10 ** math.floor(math.log10((self.high - self.low) / _MOST_TICKS))
        for factor in (1, 2, 5, 10):
            if (self.high - self.low) / (step * factor) <= _MOST_TICKS:
                step *= factor
                break
        step = max(1, step) if self.whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(number * step, 10) for number in range(first, last + 1)]


def axis_of(label: str, values: Sequence[float], *, whole: bool = False) -> Axis:
    """Return an axis on which all values have a place; values that are not finite have none.

    >>> axis_of("loss", [0.0, 2.0])
    Axis(label='loss', low=-0.08, high=2.08, whole=False)
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    room = _PADDING * (high - low) if high > low else (abs(low) or 1) / 2
    return Axis(label, low - room, high + room, whole)


def line_chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    summary: str,
    marked: float | None = None,
    dashed: Sequence[float] = (),
    has_legend: bool = True,
) -> Markup:
    """Return a chart of lines.

    Args:
        lines: at most MOST_LINES; the page gives each another colour and pattern.
        x: the horizontal axis.
        y: the vertical axis.
        summary: what the chart shows, in a sentence for screen readers.
        marked: an x with a dotted line, such as the best epoch.
        dashed: x with a dashed line, such as the beginnings of phases.
        has_legend: whether the names are above the chart, which has room for two.
    """
    frame = _Frame(x, y)
    parts = [frame.grid()]
    if marked is not None:
        parts.append(frame.vertical(marked, "marked"))
    parts += [frame.vertical(place, "phase") for place in dashed]
    for number, line in enumerate(lines):
        parts.append(f'<path class="line line{number}" d="{frame.path(line.points)}"/>')
        if len(line.points) <= _MOST_DOTS:
            parts += [frame.dot(*point, 2.5, f"dot{number}") for point in line.points]
    return _svg([*parts, _legend(lines) if has_legend else ""], summary)


def dot_chart(
    points: Sequence[tuple[float, float, float]], x: Axis, y: Axis, *, summary: str
) -> Markup:
    """Return a chart of dots, with a dashed line from the lower left to the upper right corner.

    Args:
        points: (x, y, weight); the area of a dot is as its weight, but none is too small to see.
        x: the horizontal axis.
        y: the vertical axis.
        summary: what the chart shows, in a sentence for screen readers.
    """
    frame = _Frame(x, y)
    diagonal = frame.path([(x.low, y.low), (x.high, y.high)])
    largest = max(weight for _, _, weight in points)
    dots = [
        frame.dot(across, up, max(3.0, 11 * math.sqrt(weight / largest)), "bin")
        for across, up, weight in points
    ]
    return _svg([frame.grid(), f'<path class="diagonal" d="{diagonal}"/>', *dots], summary)


def _svg(parts: Sequence[str], summary: str) -> Markup:
    # Joined from numbers and escaped texts only.
    return Markup(
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(summary)}">{"".join(parts)}</svg>'
    )


def _finite(point: tuple[float, float]) -> bool:
    return all(map(math.isfinite, point))


class _Frame:
    """The area of a chart between its axes.

    Args:
        x: the horizontal axis.
        y: the vertical axis.
    """

    def __init__(self, x: Axis, y: Axis) -> None:
        self._x, self._y = x, y
        widest = max((len(f"{tick:g}") for tick in y.ticks()), default=0)
        self._left = 26 + _LETTER * widest  # room for the numbers and the label
        self._right, self._bottom = _WIDTH - _MARGIN, _HEIGHT - _BELOW

    def across(self, value: float) -> float:
        """Return the place of an x."""
        share = (value - self._x.low) / (self._x.high - self._x.low)
        return round(self._left + share * (self._right - self._left), 1)

    def down(self, value: float) -> float:
        """Return the place of a y."""
        share = (value - self._y.low) / (self._y.high - self._y.low)
        return round(self._bottom - share * (self._bottom - _ABOVE), 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """Return the path through the points; it has a gap where a number is not finite."""
        words, pen = [], "M"
        for point in points:
            if not _finite(point):
                pen = "M"
                continue
            words.append(f"{pen}{self.across(point[0])} {self.down(point[1])}")
            pen = "L"
        return "".join(words)

    def dot(self, x: float, y: float, radius: float, kind: str) -> str:
        """Return a dot, nothing if a number is not finite."""
        if not _finite((x, y)):
            return ""
        place = f'cx="{self.across(x)}" cy="{self.down(y)}"'
        return f'<circle class="{kind}" {place} r="{radius:.1f}"/>'

    def vertical(self, x: float, kind: str) -> str:
        """Return a vertical line."""
        return f'<path class="{kind}" d="M{self.across(x)} {_ABOVE}V{self._bottom}"/>'

    def grid(self) -> str:
        """Return the axes, their numbers and labels, and the grid lines."""
        parts = []
        for tick in self._y.ticks():
            place = self.down(tick)
            parts.append(f'<path class="grid" d="M{self._left} {place}H{self._right}"/>')
            parts.append(_text(self._left - 5, place + 4, f"{tick:g}", "end"))
        for tick in self._x.ticks():
            parts.append(f'<path class="grid" d="M{self.across(tick)} {self._bottom}v4"/>')
            parts.append(_text(self.across(tick), self._bottom + 16, f"{tick:g}", "middle"))
        axes = f"M{self._left} {_ABOVE}V{self._bottom}H{self._right}"
        parts.append(f'<path class="axis" d="{axes}"/>')
        middle = (self._left + self._right) / 2
        parts.append(_text(middle, _HEIGHT - 6, self._x.label, "middle"))
        turned = f'transform="translate(12 {(_ABOVE + self._bottom) / 2}) rotate(-90)"'
        parts.append(f'<text {turned} text-anchor="middle">{escape(self._y.label)}</text>')
        return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(lines: Sequence[Line]) -> str:
    """Return the names of the lines, above the chart so that they cover no curve."""
    if len(lines) < 2:
        return ""
    parts = []
    for number, line in enumerate(lines):
        place = 110 + 110 * number
        parts.append(
            f'<path class="line line{number}" d="M{place} 8h22"/>'
            f'<text class="legend" x="{place + 28}" y="12">{escape(line.name)}</text>'
        )
    return "".join(parts)


def column_of(rows: Sequence[dict[str, float]], name: str) -> list[tuple[float, float]]:
    """Return (epoch, value) of a column of history.csv; a missing number is NaN."""
    return [(row["epoch"], row.get(name, np.nan)) for row in rows]
