"""Filter an image file with operators and draw what each of them gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.arithmetic import times
from cnnkit.data.decoding.image_formats import open_image
from cnnkit.data.decoding.resizing import SIDEWAYS
from cnnkit.data.file_bytes import LocalFile, read_file
from cnnkit.data.pixels import PixelSettings, read_pixels, upright_turn
from cnnkit.errors import DataError, ImageError, UsageError
from cnnkit.explore.kernels.layer_chain import Chain, Pair, Stage, chain_of, run_chain
from cnnkit.explore.kernels.matrices import read_operators
from cnnkit.explore.kernels.matrix_text import (
    kernels_json,
    matrix_lines,
    number_text,
    operator_lines,
    plain,
)
from cnnkit.explore.kernels.operators import OPERATORS, Operator
from cnnkit.explore.kernels.worked_example import element_json, element_lines
from cnnkit.plots.matrix_pictures import Tile, plot_tiles
from cnnkit.tables import table_text

_PROBE = PixelSettings((8, 8))  # any size: decoding the file shows whether it is an image
_COLUMNS = 6  # of the grid: 24 tiles in 4 rows, for the input and the 23 operators
_WHITE = 255
_UNCLIPPED = 0.995  # share of the numbers that are drawn in their own shade


@dataclass(frozen=True, eq=False)
class Response:
    """What one operator makes of a picture. Stages are kept as tiles, which need little memory.

    Args:
        operator: the operator.
        tiles: a picture of the result of each step.
        numbers: name, size, lowest and highest number of each step.
        work: the worked output pixel as lines.
        work_values: the same as plain values; None if no pixel was asked for.
    """

    operator: Operator
    tiles: tuple[Tile, ...]
    numbers: tuple[dict[str, Any], ...]
    work: tuple[str, ...] = ()
    work_values: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class FilteredPicture:
    """What the operators make of one picture.

    Args:
        path: path of the image.
        pixels: the pixels that were filtered, uint8 (height, width, channels).
        responses: one per operator.
        file: the PNG file that was drawn; None if nothing was drawn.
    """

    path: str
    pixels: np.ndarray
    responses: tuple[Response, ...]
    file: Path | None = None

    def text(self) -> str:
        """Return the worked pixel of every operator or else a table of the responses."""
        drawn = f"\n\n{self.file}" if self.file else ""
        if any(response.work for response in self.responses):
            return "\n\n".join("\n".join(each.work) for each in self.responses) + drawn
        rows = [
            (each.operator.name, *_cells(numbers))
            for each in self.responses
            for numbers in each.numbers
        ]
        table = table_text(("kernel", "after", "size", "lowest", "highest"), rows)
        name = Path(self.path).name
        heading = f"{name}, {times(self.pixels.shape)} (rows x columns x channels)"
        return f"{heading}\n\n{table}{drawn}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        kernels = [
            {
                "name": response.operator.name,
                "kernels": kernels_json(response.operator),
                "stages": list(response.numbers),
                "worked": response.work_values,
            }
            for response in self.responses
        ]
        size, file = list(self.pixels.shape), self.file and str(self.file)
        return {"image": self.path, "size": size, "file": file, "kernels": kernels}


def _cells(numbers: dict[str, Any]) -> tuple[str, ...]:
    ends = (number_text(numbers[end]) for end in ("lowest", "highest"))
    return (numbers["name"], times(numbers["size"]), *ends)


def filter_picture(
    path: Path,
    kernels: Sequence[str],
    *,
    size: int,
    grayscale: bool,
    worked: Pair | None = None,
    file: Path | None = None,
    **steps: Any,
) -> FilteredPicture:
    """Filter each channel of a picture with operators, and draw the results.

    Args:
        path: path of the image.
        kernels: names, matrices or files; empty for all named operators.
        size: most pixels of the longer side. A larger picture is scaled down in proportion.
        grayscale: whether to filter one channel instead of red, green and blue.
        worked: (row, column) of the pixel of the convolution's output that is worked out.
        file: the PNG file to draw; an existing one is replaced. None to draw nothing.
        **steps: as for `chain_of`.

    Raises:
        DataError: the image cannot be read.
        UsageError: a kernel or an option is wrong, or the output pixel does not exist.
    """
    chain = chain_of(**steps)
    operators = [operator for text in kernels for operator in read_operators(text)]
    pixels = read_picture(path, size, grayscale=grayscale)
    responses = tuple(
        _response(pixels, operator, chain, worked) for operator in operators or OPERATORS.values()
    )
    if file:
        _draw(Path(path).name, pixels, responses, file)
    return FilteredPicture(str(path), pixels, responses, file)


def read_picture(path: Path, size: int, *, grayscale: bool) -> np.ndarray:
    """Return the uint8 pixels of an image in its own proportions.

    Args:
        path: path of the image.
        size: most pixels of the longer side. A smaller picture keeps its size.
        grayscale: whether to return one channel instead of three.

    Raises:
        DataError: the image cannot be read.
    """
    try:
        # The size is needed before the pixels can be read. Reading a few pixels first gives the
        # errors of a broken file.
        data = read_file(LocalFile(path))
        read_pixels(data, _PROBE)
        with open_image(data) as image:
            width, height = image.size
            sideways = upright_turn(image) in SIDEWAYS
        height, width = (width, height) if sideways else (height, width)
        scale = min(1.0, size / max(height, width))
        image_size = (max(1, round(height * scale)), max(1, round(width * scale)))
        color_mode = "grayscale" if grayscale else "rgb"
        return read_pixels(data, PixelSettings(image_size, color_mode))
    except ImageError as error:
        raise DataError(f"{path}: {error}.") from None


def _response(
    pixels: np.ndarray, operator: Operator, chain: Chain, worked: Pair | None
) -> Response:
    stages = run_chain(pixels, operator, chain)
    totals = [kernel.total for kernel in operator.kernels]
    # Such a result is a picture in grey levels; other results are signed or of any size.
    # Not == 1: weights such as nine times 1/9 add up to 1 except for rounding.
    keeps_brightness = len(totals) == 1 and abs(totals[0] - 1) < 1e-9
    tiles = tuple(_tile(stage, keeps_brightness=keeps_brightness) for stage in stages)
    numbers = tuple(_numbers(stage) for stage in stages)
    if worked is None:
        return Response(operator, tiles, numbers)
    _check_place(stages[0], worked)
    work_values = element_json(stages[0], *worked)
    return Response(operator, tiles, numbers, _work(stages[0], worked, chain), work_values)


def _numbers(stage: Stage) -> dict[str, Any]:
    lowest, highest = plain(stage.output.min()), plain(stage.output.max())
    size = list(stage.output.shape)
    return {"name": stage.name, "size": size, "lowest": lowest, "highest": highest}


def _check_place(stage: Stage, worked: Pair) -> None:
    rows, columns = stage.output.shape[:2]
    if worked[0] >= rows or worked[1] >= columns:
        raise UsageError(
            f"--worked {worked[0]},{worked[1]}: {stage.operator.name} gives {rows} rows and "
            f"{columns} columns here. Give a row from 0 to {rows - 1} and a column from 0 to "
            f"{columns - 1}."
        )


def _work(stage: Stage, worked: Pair, chain: Chain) -> tuple[str, ...]:
    """Return one output pixel as lines: every channel, and what a conv layer would make of them."""
    values = stage.output[worked]
    lines = [*operator_lines(stage.operator), *element_lines(stage, *worked)]
    if chain.relu:
        results = ", ".join(number_text(max(value, 0.0)) for value in values)
        lines.append(f"  after ReLU, max(x, 0): {results}")
    if len(values) > 1 and len(stage.operator.kernels) == 1:
        terms = " + ".join(map(number_text, values)).replace("+ -", "- ")
        lines += [
            "  Here each channel is filtered separately. A conv layer has separate weights for",
            "  each channel and adds the sums. With the same weights for all three channels:",
            f"  {terms} = {number_text(values.sum())}",
        ]
    return tuple(lines)


def _draw(name: str, pixels: np.ndarray, responses: Sequence[Response], path: Path) -> None:
    """Draw a grid of the responses; if there are several steps, one row per kernel."""
    picture = Tile("input", f"{times(pixels.shape[:2])}\nshown: 0 to 255", pixels)
    if len(responses[0].tiles) > 1:
        rows = [[picture, _kernel_tile(each.operator), *each.tiles] for each in responses]
    else:
        tiles = [picture, *(each.tiles[0] for each in responses)]
        rows = [tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]
    heading = (name, "Black and white are the ends of the range that is shown.")
    plot_tiles(rows, heading, path)


def _tile(stage: Stage, *, keeps_brightness: bool) -> Tile:
    """Return a picture of the result of a step, with its size and range of numbers."""
    black, white = shown_range(stage.output, keeps_brightness=keeps_brightness)
    scaled = (stage.output - black) * (_WHITE / (white - black))
    pixels = np.rint(scaled.clip(0, _WHITE)).astype(np.uint8)
    reach = f"{_short(stage.output.min())} to {_short(stage.output.max())}"
    caption = f"{times(stage.output.shape[:2])}: {reach}\nshown: {_short(black)} to {_short(white)}"
    title = stage.operator.name if stage.operator else f"after {stage.name}"
    return Tile(title, caption, pixels)


def shown_range(values: np.ndarray, *, keeps_brightness: bool) -> tuple[float, float]:
    """Return the numbers that are drawn black and white; numbers outside are clipped.

    Args:
        values: numbers of any shape.
        keeps_brightness: whether they are grey levels, for which the range is 0 to 255. Otherwise
            0 is drawn black if no number is negative, and middle grey if one is. Up to 0.5% of the
            numbers may be clipped, so that a few strong edges do not make everything else grey.
    """
    if keeps_brightness:
        return 0.0, float(_WHITE)
    strength = np.abs(values)
    # The quantile is 0 if almost all numbers are; 1 is for a result of zeros only.
    white = float(np.quantile(strength, _UNCLIPPED)) or float(strength.max()) or 1.0
    return (-white if values.min() < 0 else 0.0), white


def _short(value: float) -> str:
    return number_text(float(round(value) if abs(value) >= 10 else round(value, 2)))


def _kernel_tile(operator: Operator) -> Tile:
    """Return the matrices of an operator as a tile of text."""
    matrices = ["\n".join(matrix_lines(kernel.weights)) for kernel in operator.kernels]
    first = operator.kernels[0]
    divided = f", divided by {first.divisor}" if first.divisor != 1 else ""
    note = "two, combined to the magnitude"
    if len(matrices) == 1:
        note = f"the weights add up to {number_text(first.total)}"
    return Tile("kernel", f"{times(operator.size)}{divided}\n{note}", "\n\n".join(matrices))
