"""An image file and operators enter; what each answers, as pictures and numbers, leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnkit.arithmetic.effects import times
from cnnkit.data.pixels import PixelSettings, read_pixels, upright_turn
from cnnkit.data.resizing import SIDEWAYS
from cnnkit.errors import DataError, ImageError, UsageError
from cnnkit.explore.kernels.matrices import read_operators
from cnnkit.explore.kernels.numbers import number_text, plain
from cnnkit.explore.kernels.operators import OPERATORS, Operator
from cnnkit.explore.kernels.stages import Chain, Pair, Stage, run_chain
from cnnkit.explore.kernels.tiles import kernel_tile, tile_of
from cnnkit.explore.kernels.worked import element_json, element_lines, kernels_json, operator_lines
from cnnkit.plots.matrix_pictures import Tile, plot_tiles

_PROBE = PixelSettings((8, 8))  # decodes the file, for its errors
_COLUMNS = 6


@dataclass(frozen=True, eq=False)
class Answer:
    """What one operator makes of a picture. Stages are kept as tiles, which take little room.

    Args:
        operator: it.
        tiles: what stands after each step.
        numbers: of each step its name, size and lowest and highest number.
        work: lines of the output pixel that was asked for.
        work_values: the same as plain values; None where none was asked for.
    """

    operator: Operator
    tiles: tuple[Tile, ...]
    numbers: tuple[dict[str, Any], ...]
    work: tuple[str, ...] = ()
    work_values: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """What the operators make of one picture.

    Args:
        path: of the image.
        pixels: that were filtered, uint8 (height, width, channels).
        answers: one an operator.
    """

    path: str
    pixels: np.ndarray
    answers: tuple[Answer, ...]

    @property
    def heading(self) -> str:
        """The name of the file and the size that was filtered."""
        return f"{Path(self.path).name}, {times(self.pixels.shape)} (rows x columns x channels)"

    def text(self) -> str:
        """Return the worked pixel of every operator, or else a table of the answers."""
        if any(answer.work for answer in self.answers):
            return "\n\n".join("\n".join(answer.work) for answer in self.answers)
        rows = [("kernel", "after", "size", "lowest", "highest")]
        for answer in self.answers:
            rows += [(answer.operator.name, *_cells(numbers)) for numbers in answer.numbers]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self.heading, "", *lines])

    def as_dict(self, file: Path | None) -> dict[str, Any]:
        """Return plain values for JSON; `file` is the PNG that was drawn."""
        kernels = [
            {
                "name": answer.operator.name,
                "kernels": kernels_json(answer.operator),
                "stages": list(answer.numbers),
                "worked": answer.work_values,
            }
            for answer in self.answers
        ]
        size = list(self.pixels.shape)
        return {"image": self.path, "size": size, "file": file and str(file), "kernels": kernels}


def _cells(numbers: dict[str, Any]) -> tuple[str, ...]:
    ends = (number_text(numbers[end]) for end in ("lowest", "highest"))
    return (numbers["name"], times(numbers["size"]), *ends)


def filter_picture(
    path: Path,
    kernels: Sequence[str],
    chain: Chain,
    *,
    size: int,
    grayscale: bool,
    worked: Pair | None = None,
) -> Answers:
    """Filter a picture with operators, each channel by itself.

    Args:
        path: of the image.
        kernels: names, matrices or files; none for all named operators.
        chain: the steps.
        size: most pixels of the longer side; a larger picture is made smaller, never stretched.
        grayscale: of one channel instead of red, green and blue.
        worked: (row, column) of the convolution's output that is worked out.

    Raises:
        DataError: the image cannot be read.
        UsageError: a kernel cannot be read or does not fit, or there is no such output pixel.
    """
    operators = [operator for text in kernels for operator in read_operators(text)]
    pixels = read_picture(path, size, grayscale=grayscale)
    answers = (
        _answer(pixels, operator, chain, worked) for operator in operators or OPERATORS.values()
    )
    return Answers(str(path), pixels, tuple(answers))


def read_picture(path: Path, size: int, *, grayscale: bool) -> np.ndarray:
    """Return the uint8 pixels of an image in its own proportions.

    Args:
        path: of the image.
        size: most pixels of the longer side; a smaller picture stays as it is.
        grayscale: one channel instead of three.

    Raises:
        DataError: it cannot be read.
    """
    try:
        read_pixels(str(path), _PROBE)
        with Image.open(path) as image:
            width, height = image.size
            sideways = upright_turn(image) in SIDEWAYS
        height, width = (width, height) if sideways else (height, width)
        scale = min(1.0, size / max(height, width))
        image_size = (max(1, round(height * scale)), max(1, round(width * scale)))
        color_mode = "grayscale" if grayscale else "rgb"
        return read_pixels(str(path), PixelSettings(image_size, color_mode))
    except ImageError as error:
        raise DataError(f"{path}: {error}.") from None


def _answer(pixels: np.ndarray, operator: Operator, chain: Chain, worked: Pair | None) -> Answer:
    stages = run_chain(pixels, operator, chain)
    totals = [kernel.total for kernel in operator.kernels]
    keeps_brightness = len(totals) == 1 and abs(totals[0] - 1) < 1e-9
    tiles = tuple(tile_of(stage, keeps_brightness=keeps_brightness) for stage in stages)
    numbers = tuple(_numbers(stage) for stage in stages)
    if worked is None:
        return Answer(operator, tiles, numbers)
    _check_place(stages[0], worked)
    work_values = element_json(stages[0], *worked)
    return Answer(operator, tiles, numbers, _work(stages[0], worked, chain), work_values)


def _numbers(stage: Stage) -> dict[str, Any]:
    lowest, highest = plain(stage.output.min()), plain(stage.output.max())
    size = list(stage.output.shape)
    return {"name": stage.name, "size": size, "lowest": lowest, "highest": highest}


def _check_place(stage: Stage, worked: Pair) -> None:
    rows, columns = stage.output.shape[:2]
    if worked[0] >= rows or worked[1] >= columns:
        raise UsageError(
            f"--worked {worked[0]},{worked[1]}: {stage.operator.name} gives {rows} rows and "
            f"{columns} columns here. Name a row of 0 to {rows - 1} and a column of 0 to "
            f"{columns - 1}."
        )


def _work(stage: Stage, worked: Pair, chain: Chain) -> tuple[str, ...]:
    """Return the lines of one output pixel: every channel, and what a conv layer makes of them."""
    values = stage.output[worked]
    lines = [*operator_lines(stage.operator), *element_lines(stage, *worked)]
    if chain.relu:
        results = ", ".join(number_text(max(value, 0.0)) for value in values)
        lines.append(f"  after ReLU, max(x, 0): {results}")
    if len(values) > 1 and len(stage.operator.kernels) == 1:
        terms = " + ".join(map(number_text, values)).replace("+ -", "- ")
        lines.append(
            "  Here each channel stays by itself. A conv layer has weights of its own for each "
            "channel"
        )
        lines.append(
            f"  and adds the sums; with these for all three: {terms} = {number_text(values.sum())}"
        )
    return tuple(lines)


def draw(answers: Answers, path: Path) -> None:
    """Draw a grid of the answers, or of their steps one row a kernel, into a PNG file."""
    picture = Tile("input", f"{times(answers.pixels.shape[:2])}\nshown: 0 to 255", answers.pixels)
    if len(answers.answers[0].tiles) > 1:
        rows = [[picture, kernel_tile(a.operator), *a.tiles] for a in answers.answers]
    else:
        tiles = [picture, *(answer.tiles[0] for answer in answers.answers)]
        rows = [tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]
    heading = (Path(answers.path).name, "Black and white are the ends of what is shown.")
    plot_tiles(rows, heading, path)
