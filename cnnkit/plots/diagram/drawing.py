"""Draw a finished layout into a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path

from cnnkit.plots.diagram.boxes import Body, Box, Point, Text, Wire
from cnnkit.plots.diagram.pieces import LETTERS
from cnnkit.plots.diagram.steps import Step

_FILLS = {
    "image": "#f2f2f2",
    "conv": "#d6e6f7",
    "pool": "#fbe3c4",
    "dense": "#d9efd5",
    "other": "#eeeeee",
    "merge": "#ffffff",
}
_OUTPUT = "#f7d2d2"
_INK = "#303030"
_FAINT = "#8a8a8a"
_ROUNDING = 0.09
_MOST_CELLS = 20  # up to so many units of the output are drawn one by one


def draw(figure: Figure, layout: Box, steps: Sequence[Step]) -> None:
    """Draw a layout into an empty figure of its size; one unit is one inch."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    bodies = {body.step: body for body in layout.bodies}
    # From the back to the front: a zorder puts frames below wires, bodies above them.
    for frame in layout.frames:
        _draw_frame(axes, frame.x, frame.y, frame.width, frame.height)
    for wire in layout.wires:
        _draw_wire(axes, wire.points)
    for body in layout.bodies:
        _draw_body(axes, body, steps[body.step])
    for wire in layout.wires:
        _draw_view(axes, wire, bodies, steps)
    for text in layout.texts:
        _write(axes, text)


def _draw_frame(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    style = "round,pad=0,rounding_size=0.12"
    look = {"facecolor": "#fafafa", "edgecolor": _FAINT, "linestyle": "--", "linewidth": 0.8}
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, zorder=0, **look))


def _draw_wire(axes: Axes, points: Sequence[Point]) -> None:
    path = _rounded(points)
    look = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
    look.update(color=_INK, linewidth=0.8, joinstyle="miter", capstyle="butt")
    axes.add_patch(FancyArrowPatch(path=path, zorder=1, fill=False, **look))


def _rounded(points: Sequence[Point]) -> Path:
    """Return a line with rounded corners."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        vertices += [_towards(corner, before), corner, _towards(corner, after)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def _towards(corner: Point, other: Point) -> Point:
    across, down = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(across), abs(down))
    share = min(_ROUNDING, length / 2) / length
    return corner[0] + across * share, corner[1] + down * share


def _draw_body(axes: Axes, body: Body, step: Step) -> None:
    fill = _OUTPUT if step.output else _FILLS[step.kind]
    look = {"facecolor": fill, "edgecolor": _INK, "linewidth": 0.6, "zorder": 2}
    middle = (body.x + body.width / 2, body.y + body.height / 2)
    if body.form == "circle":
        axes.add_patch(Circle(middle, body.width / 2, **look))
        size = 12 if len(step.symbol) == 1 else 5.5  # + is drawn larger than mean
        axes.text(*middle, step.symbol, fontsize=size, ha="center", va="center", zorder=3)
        return
    if body.form == "pill":
        style = "round,pad=0,rounding_size=0.06"
        axes.add_patch(
            FancyBboxPatch((body.x, body.y), body.width, body.height, boxstyle=style, **look)
        )
        return
    shift = body.depth / max(1, body.sheets - 1)
    dashed = "--" if body.form == "unknown" else "-"
    for sheet in range(body.sheets):
        place = (body.x + sheet * shift, body.y + sheet * shift)
        axes.add_patch(Rectangle(place, body.width, body.height, linestyle=dashed, **look))
    if body.form == "gate":
        axes.text(*middle, step.symbol, fontsize=7, rotation=90, ha="center", va="center", zorder=3)
    if body.form == "bar" and step.output and step.shape[0] <= _MOST_CELLS:
        for unit in range(1, step.shape[0]):
            y = body.y + body.height * unit / step.shape[0]
            axes.plot((body.x, body.x + body.width), (y, y), color=_INK, linewidth=0.5, zorder=3)


def _draw_view(axes: Axes, wire: Wire, bodies: dict[int, Body], steps: Sequence[Step]) -> None:
    """Draw what a number of the next map sees, if the two maps are direct neighbours."""
    source, target = bodies[wire.source], bodies[wire.target]
    if len(wire.points) != 2 or source.x > target.x:
        return
    if source.form == target.form == "bar":
        _draw_all_to_all(axes, source, target)
    elif source.form == target.form == "sheets" and steps[wire.target].window:
        _draw_window(axes, source, target, steps[wire.source], steps[wire.target])


def _draw_all_to_all(axes: Axes, source: Body, target: Body) -> None:
    left, right = source.x + source.width, target.x
    for start in (source.y, source.y + source.height):
        for end in (target.y, target.y + target.height):
            axes.plot((left, right), (start, end), color=_FAINT, linewidth=0.4, zorder=1.5)


def _draw_window(axes: Axes, source: Body, target: Body, seen: Step, step: Step) -> None:
    """Draw the window on the front sheet and lines from its corners to one number."""
    rows, columns = seen.shape[-3:-1] if len(seen.shape) > 2 else (seen.shape[0], 1)
    high, wide = step.window[-2:] if len(step.window) > 1 else (step.window[0], 1)
    # Drawn to scale, but not so small that it cannot be seen.
    height = source.height * min(1, max(high / rows, 0.12))
    width = source.width * min(1, max(wide / columns, 0.12))
    x, y = (
        source.front[0] + (source.width - width) * 0.7,
        source.front[1] + (source.height - height) * 0.2,
    )
    point = (target.front[0] + target.width * 0.4, target.front[1] + target.height * 0.25)
    look = {"edgecolor": "#a02020", "linewidth": 0.7, "zorder": 4}
    axes.add_patch(Rectangle((x, y), width, height, facecolor="none", **look))
    for corner in ((x + width, y), (x + width, y + height)):
        line = {"color": "#a02020", "linewidth": 0.5, "zorder": 4}
        axes.plot((corner[0], point[0]), (corner[1], point[1]), **line)


def _write(axes: Axes, text: Text) -> None:
    axes.text(
        text.x,
        text.y,
        "\n".join(text.lines),
        fontsize=LETTERS[text.role],
        fontweight="bold" if text.role == "count" else "normal",
        color=_INK,
        ha="center",
        va="center",
        linespacing=1.1,
        zorder=5,
        parse_math=False,
    )
