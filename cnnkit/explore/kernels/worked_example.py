"""Every window, product and sum of a convolution or pooling, as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from cnnkit.arithmetic import Slide, times
from cnnkit.explore.kernels.layer_chain import Stage, chain_of, check_without_kernel, run_chain
from cnnkit.explore.kernels.matrices import read_matrix, read_operator
from cnnkit.explore.kernels.matrix_text import (
    aligned,
    factor_text,
    indented,
    kernels_json,
    matrix_lines,
    number_text,
    operator_lines,
    plain,
    size_formulas,
)
from cnnkit.explore.kernels.operators import Kernel


@dataclass(frozen=True, eq=False)
class WorkedMatrix:
    """What `cnnkit convolve` prints: a matrix and each step of its way through the stages.

    Args:
        values: the input, (rows, columns).
        stages: what `run_chain` computed from it.
        most: how many steps of each stage are shown; the others are counted.
    """

    values: np.ndarray
    stages: Sequence[Stage]
    most: int

    def text(self) -> str:
        """Return the input, then the steps and the result of each stage."""
        lines = [f"input, {times(self.values.shape)}", *indented(matrix_lines(self.values))]
        for stage in self.stages:
            lines += ["", *_stage_lines(stage, self.most)]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return what `text` says as plain values, with no matrix cut off."""
        return {
            "input": plain(self.values),
            "stages": [_stage_json(stage, self.most) for stage in self.stages],
            "output": plain(self.stages[-1].output),
        }


def work_out(matrix: str, kernel: str | None, most: int, **options: Any) -> WorkedMatrix:
    """Convolve or pool a small matrix.

    Args:
        matrix: text such as `[[1,2],[3,4]]`, or a file.
        kernel: name of an operator, a matrix or a file; None for no convolution.
        most: how many steps of each stage are shown.
        **options: as for `chain_of`.

    Raises:
        UsageError: the matrix or the kernel cannot be read or do not fit, or an option is wrong.
    """
    chain = chain_of(**options)
    if kernel is None:
        check_without_kernel(options)
    values = read_matrix(matrix, "--input")
    operator = None if kernel is None else read_operator(kernel)
    return WorkedMatrix(values, run_chain(values, operator, chain), most)


def _stage_lines(stage: Stage, most: int) -> list[str]:
    if stage.output.ndim == 1:
        numbers = matrix_lines(stage.output[None])
        return [f"flatten, row by row: {stage.output.size} numbers", *indented(numbers)]
    if stage.windows is None:
        head = [f"{stage.name}: max(x, 0) of every number, {times(stage.output.shape)}"]
        return head + indented(matrix_lines(stage.output))
    lines = operator_lines(stage.operator) if stage.operator else []
    lines += [_movement(stage), *map(str, size_formulas(stage.windows.slides))]
    # Only these are worked out: a picture has a window for each of its pixels.
    for place in islice(np.ndindex(*stage.output.shape), most):
        lines += ["", *element_lines(stage, *place)]
    if left_out := _left_out(stage, most):
        total = stage.output.size
        lines += ["", f"{left_out} of {total} steps are left out; --steps {total} prints all."]
    head = f"result of the {stage.name}, {times(stage.output.shape)}"
    return [*lines, "", head, *indented(matrix_lines(stage.output))]


def _left_out(stage: Stage, most: int) -> int:
    return max(stage.output.size - most, 0)


def _movement(stage: Stage) -> str:
    """Return how the window moves: `convolution, window 3 x 3, stride 1 x 1, no border`."""
    rows, columns = stage.windows.slides
    words = [
        f"{stage.name}, window {rows.kernel} x {columns.kernel}",
        f"stride {rows.stride} x {columns.stride}",
    ]
    if (rows.dilation, columns.dilation) != (1, 1):
        words.append(f"dilation {rows.dilation} x {columns.dilation}")
    border = _border(rows, columns)
    return ", ".join([*words, f"border {border}" if border else "no border"])


def _border(rows: Slide, columns: Slide) -> str:
    sides = (
        ("above", rows.before),
        ("below", rows.after),
        ("left", columns.before),
        ("right", columns.after),
    )
    return ", ".join(f"{size} {side}" for side, size in sides if size)


def element_lines(stage: Stage, row: int, column: int) -> list[str]:
    """Return as lines how one number of a convolution or pooling is computed.

    For a picture, each channel is worked out separately.

    Args:
        stage: a stage with windows.
        row: row of the output, counted from 0.
        column: column of the output, counted from 0.
    """
    rows, columns = stage.windows.slides
    lines = [f"[{row}, {column}]: rows {_reach(rows, row)}, columns {_reach(columns, column)}"]
    windows = stage.windows.values[row, column]
    is_real = stage.windows.is_real[row, column]
    if windows.ndim == 2:  # a matrix; a picture has one window per channel
        return lines + indented(_window_lines(stage, windows, is_real))
    names = ("red", "green", "blue") if len(windows) == 3 else ("grey",)
    for name, window in zip(names, windows, strict=True):
        lines += [f"  {name}", *indented(indented(_window_lines(stage, window, is_real)))]
    return lines


def _reach(slide: Slide, position: int) -> str:
    first = position * slide.stride - slide.before
    step = f" in steps of {slide.dilation}" if slide.dilation > 1 else ""
    return f"{first} to {first + slide.window - 1}{step}"


def _window_lines(stage: Stage, window: np.ndarray, is_real: np.ndarray) -> list[str]:
    if stage.operator is None:
        return _pool_lines(stage.name, window, is_real)
    kernels = stage.operator.kernels
    lines = [line for kernel in kernels for line in _product_lines(window, is_real, kernel)]
    if len(kernels) == 2:
        parts = [float((window * kernel.weights).sum()) / kernel.divisor for kernel in kernels]
        squares = " + ".join(f"{factor_text(part)}^2" for part in parts)
        lines.append(f"magnitude = sqrt({squares}) = {number_text(float(np.hypot(*parts)))}")
    return lines


def _product_lines(window: np.ndarray, is_real: np.ndarray, kernel: Kernel) -> list[str]:
    """Return the window, the kernel and the products side by side, then the sum.

    There is one line per row of the window.
    """
    left = aligned(_cells(window, is_real, "[{}]"))
    middle = aligned([[number_text(weight) for weight in row] for row in kernel.weights])
    products = [
        " + ".join(f"{factor_text(x)}*{factor_text(w)}" for x, w in zip(*pair, strict=True))
        for pair in zip(window, kernel.weights, strict=True)
    ]
    sums = [number_text(float(total)) for total in (window * kernel.weights).sum(axis=1)]
    total = float((window * kernel.weights).sum())
    wide, last = max(map(len, products)), max(len(text) for text in [*sums, number_text(total)])
    lines = [
        f"{a}   x   {b}   {c.ljust(wide)} = {d.rjust(last)}"
        for a, b, c, d in zip(left, middle, products, sums, strict=True)
    ]
    # The total is aligned with the sums of the rows above it.
    end = number_text(total).rjust(last)
    if kernel.divisor != 1:
        end += f" / {factor_text(kernel.divisor)} = {number_text(total / kernel.divisor)}"
    before = len(lines[0]) - last - len("sum = ")
    return [*lines, f"{' ' * before}sum = {end}"]


def _cells(window: np.ndarray, is_real: np.ndarray, border: str) -> np.ndarray:
    """Return the numbers of a window as texts; `border` formats those of an added border."""
    texts = np.vectorize(number_text, otypes=[object])(window)
    return np.where(is_real, texts, [[border.format(text) for text in row] for row in texts])


def _pool_lines(name: str, window: np.ndarray, is_real: np.ndarray) -> list[str]:
    # Numbers of an added border do not count in a pooling.
    values = window[is_real]
    if name == "max pooling":
        work = f"max({', '.join(map(number_text, values))}) = {number_text(values.max())}"
    else:
        terms = " + ".join(map(factor_text, values))
        work = f"({terms}) / {values.size} = {number_text(values.mean())}"
    return [*aligned(_cells(window, is_real, "-")), work]


def _stage_json(stage: Stage, most: int) -> dict[str, Any]:
    found: dict[str, Any] = {"name": stage.name}
    if stage.operator is not None:
        found |= {"kernel": stage.operator.name, "kernels": kernels_json(stage.operator)}
    if stage.windows is not None:
        places = islice(np.ndindex(*stage.output.shape), most)
        found["size"] = [asdict(formula) for formula in size_formulas(stage.windows.slides)]
        found["steps"] = [element_json(stage, *place) for place in places]
        found["steps_left_out"] = _left_out(stage, most)
    return found | {"output": plain(stage.output)}


def element_json(stage: Stage, row: int, column: int) -> dict[str, Any]:
    """Return one number, its window and its products; null for a border that does not count.

    For a picture, windows, products and values are lists with one entry per channel.
    """
    windows = stage.windows.values[row, column]
    found: dict[str, Any] = {"row": row, "column": column}
    if stage.operator is None:
        real = np.broadcast_to(stage.windows.is_real[row, column], windows.shape)
        found["window"] = _without_border(windows, real)
    else:
        found["window"] = plain(windows)
        found["products"] = [plain(windows * kernel.weights) for kernel in stage.operator.kernels]
    return found | {"value": plain(stage.output[row, column])}


def _without_border(values: np.ndarray, is_real: np.ndarray) -> Any:
    if values.ndim == 0:
        return plain(values) if is_real else None
    return [_without_border(*pair) for pair in zip(values, is_real, strict=True)]
