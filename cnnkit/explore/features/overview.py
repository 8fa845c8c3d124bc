"""Draw the way of one image through a model, layer by layer, as one picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.stages import FLATTEN, MOVE, RELU, SCALE, SUM, Stage, most_active
from cnnkit.plots.map_pictures import Column, plot_path

_MOST_COLUMNS = 33  # with the image and the probabilities, three lines of twelve
_MAPS = 5  # per stage
_MOST_LETTERS = 54  # of a stage's name: three lines


def draw_overview(
    stages: Sequence[Stage],
    kept: Sequence[int],
    answer: list[tuple[str, float]],
    title: str,
    path: Path,
) -> None:
    """Draw the stages of an image from left to right.

    Args:
        stages: all stages.
        kept: positions of the stages to draw; the first is the image, the last the answer.
        answer: (class name, probability); the most probable one is the first.
        title: title of the picture.
        path: the PNG file.
    """
    shown = [i for i in kept[1:-1] if _in_overview(stages, i)]
    if len(shown) > _MOST_COLUMNS:
        # Evenly spaced, with the first and the last stage among them.
        picked = np.linspace(0, len(shown) - 1, _MOST_COLUMNS).round().astype(int)
        title += f" ({_MOST_COLUMNS} of {len(shown)} stages)"
        shown = [shown[i] for i in picked]
    image = stages[0].values.astype(np.uint8)
    orders = most_active(stages)
    columns = [_column(stages, i, orders[i]) for i in shown]
    plot_path(title, image, columns, answer, path)


def _in_overview(stages: Sequence[Stage], position: int) -> bool:
    """Return whether a stage gets a column of its own.

    It does not if it only scales numbers (the title of the next column names it) or moves them, or
    if it is a row of numbers before its activation.
    """
    stage = stages[position]
    if stage.kind in (SCALE, MOVE, FLATTEN) or _only_borders(stage, stages):
        return False
    follows = stages[position + 1]
    activated = follows.parents == (position,) and follows.name.startswith(f"{stage.name}/")
    return not (stage.is_row and stage.kind == SUM and activated)


def _only_borders(stage: Stage, stages: Sequence[Stage]) -> bool:
    """Return whether a stage only puts a border around a map, as Take + Concatenate do."""
    channels = {stages[parent].values.shape[2] for parent in stage.parents}
    joined = stage.title == "Concatenate" and channels == {stage.values.shape[2]}
    return joined or stage.title in ("Take", "Pad")


def _column(stages: Sequence[Stage], position: int, order: NDArray) -> Column:
    stage = stages[position]
    height, width, count = stage.values.shape
    name = "ReLU" if stage.kind == RELU and not stage.is_row else in_lines(stage.name)
    title = "".join(f"{scaled}\nthen " for scaled in _scaled_before(stages, position)) + name
    if stage.is_row:
        return Column(f"{title}\n{count} numbers", stage.values.reshape(-1))
    chosen = order[:_MAPS]
    labels = list(map(str, chosen))
    return Column(f"{title}\n{height} x {width} x {count}", stage.values[..., chosen], labels)


def _scaled_before(stages: Sequence[Stage], position: int) -> list[str]:
    """Return the titles of the scaling stages between this stage and the drawn ones below."""
    found = []
    for parent in stages[position].parents:
        if parent and not _in_overview(stages, parent):
            own = [stages[parent].title] if stages[parent].kind == SCALE else []
            found += [*_scaled_before(stages, parent), *own]
    return list(dict.fromkeys(found))


def in_lines(name: str) -> str:
    """Return a name in lines of at most 18 letters, broken after `_` and `/` if possible.

    >>> in_lines("branches_1_concatenate").split()
    ['branches_1_', 'concatenate']
    """
    if len(name) > _MOST_LETTERS:
        name = f"{name[: _MOST_LETTERS // 2]}\u2026{name[1 - _MOST_LETTERS // 2 :]}"
    return "\n".join(re.findall(r".{1,18}\Z|.{0,17}[_/]|.{18}", name, re.DOTALL))
