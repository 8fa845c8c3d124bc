"""The stages of a chain enter; every window, product and sum of them, as text or JSON, leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np

from cnnkit.arithmetic.effects import times
from cnnkit.arithmetic.windows import Slide
from cnnkit.explore.kernels.numbers import (
    aligned,
    factor_text,
    matrix_lines,
    number_text,
    plain,
    size_formulas,
)
from cnnkit.explore.kernels.operators import OPERATORS, Kernel, Operator
from cnnkit.explore.kernels.stages import Stage


def work_text(values: np.ndarray, stages: Sequence[Stage], most: int) -> str:
    """Return the input, then of each stage its steps and its result.

    Args:
        values: the input, (rows, columns).
        stages: what `run_chain` made of it.
        most: steps to print of each stage; the number of those left out is said.
    """
    lines = [f"input, {times(values.shape)}", *_indented(matrix_lines(values))]
    for stage in stages:
        lines += ["", *_stage_lines(stage, most)]
    return "\n".join(lines)


def _stage_lines(stage: Stage, most: int) -> list[str]:
    if stage.output.ndim == 1:
        numbers = matrix_lines(stage.output[None])
        return [f"flatten, row by row: {stage.output.size} numbers", *_indented(numbers)]
    if stage.windows is None:
        head = [f"{stage.name}: max(x, 0) of every number, {times(stage.output.shape)}"]
        return head + _indented(matrix_lines(stage.output))
    lines = operator_lines(stage.operator) if stage.operator else []
    lines += [_movement(stage), *_formula_lines(stage)]
    for place in islice(np.ndindex(*stage.output.shape), most):
        lines += ["", *element_lines(stage, *place)]
    if left_out := _left_out(stage, most):
        total = stage.output.size
        lines += ["", f"{left_out} of {total} steps are left out; --steps {total} prints all."]
    head = f"result of the {stage.name}, {times(stage.output.shape)}"
    return [*lines, "", head, *_indented(matrix_lines(stage.output))]


def _left_out(stage: Stage, most: int) -> int:
    return max(stage.output.size - most, 0)


def operator_lines(operator: Operator) -> list[str]:
    """Return the kernels of an operator as lines."""
    lines = []
    for number, kernel in enumerate(operator.kernels):
        part = f", {number + 1} of {len(operator.kernels)}" if len(operator.kernels) > 1 else ""
        shared = f", divided by {kernel.divisor}" if kernel.divisor != 1 else ""
        lines.append(f"{operator.name}{part}, {times(operator.size)}{shared}")
        lines += _indented(matrix_lines(kernel.weights))
    return lines


def _movement(stage: Stage) -> str:
    rows, columns = stage.windows.slides
    words = [
        f"{stage.name}, window {_pair(rows.kernel, columns.kernel)}",
        f"stride {_pair(rows.stride, columns.stride)}",
    ]
    if (rows.dilation, columns.dilation) != (1, 1):
        words.append(f"dilation {_pair(rows.dilation, columns.dilation)}")
    border = _border(rows, columns)
    return ", ".join([*words, f"border {border}" if border else "no border"])


def _pair(first: int, second: int) -> str:
    return f"{first} x {second}"


def _border(rows: Slide, columns: Slide) -> str:
    sides = (
        ("above", rows.before),
        ("below", rows.after),
        ("left", columns.before),
        ("right", columns.after),
    )
    return ", ".join(f"{size} {side}" for side, size in sides if size)


def _formula_lines(stage: Stage) -> list[str]:
    return [str(formula) for formula in size_formulas(stage.windows.slides)]


def element_lines(stage: Stage, row: int, column: int) -> list[str]:
    """Return how one number of a convolution or a pooling comes about, as lines.

    Of a picture every channel is worked out by itself.

    Args:
        stage: with windows.
        row: of the output, from 0.
        column: of the output, from 0.
    """
    lines = [f"[{row}, {column}]: {_place(stage, row, column)}"]
    windows = stage.windows.values[row, column]
    is_real = stage.windows.is_real[row, column]
    if windows.ndim == 2:
        return lines + _indented(_window_lines(stage, windows, is_real))
    names = ("red", "green", "blue") if len(windows) == 3 else ("grey",)
    for name, window in zip(names, windows, strict=True):
        lines += [f"  {name}", *_indented(_indented(_window_lines(stage, window, is_real)))]
    return lines


def _place(stage: Stage, row: int, column: int) -> str:
    rows, columns = stage.windows.slides
    return f"rows {_reach(rows, row)}, columns {_reach(columns, column)}"


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
    """Return window, kernel and products beside each other, one line a row, and the sum."""
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
    end = number_text(total).rjust(last)
    if kernel.divisor != 1:
        end += f" / {factor_text(kernel.divisor)} = {number_text(total / kernel.divisor)}"
    before = len(lines[0]) - last - len("sum = ")
    return [*lines, f"{' ' * before}sum = {end}"]


def _cells(window: np.ndarray, is_real: np.ndarray, border: str) -> np.ndarray:
    """Return the numbers of a window as texts, those of an added border in a form of their own."""
    texts = np.vectorize(number_text, otypes=[object])(window)
    return np.where(is_real, texts, [[border.format(text) for text in row] for row in texts])


def _pool_lines(name: str, window: np.ndarray, is_real: np.ndarray) -> list[str]:
    values = window[is_real]
    if name == "max pooling":
        work = f"max({', '.join(map(number_text, values))}) = {number_text(values.max())}"
    else:
        terms = " + ".join(map(factor_text, values))
        work = f"({terms}) / {values.size} = {number_text(values.mean())}"
    return [*aligned(_cells(window, is_real, "-")), work]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def work_json(values: np.ndarray, stages: Sequence[Stage], most: int) -> dict[str, Any]:
    """Return what `work_text` says as plain values, and the matrices whole."""
    return {
        "input": plain(values),
        "stages": [_stage_json(stage, most) for stage in stages],
        "output": plain(stages[-1].output),
    }


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


def kernels_json(operator: Operator) -> list[dict[str, Any]]:
    """Return the matrices of an operator as plain values."""
    return [
        {"weights": plain(kernel.weights), "divisor": kernel.divisor} for kernel in operator.kernels
    ]


def element_json(stage: Stage, row: int, column: int) -> dict[str, Any]:
    """Return one number, its window and its products; null where a border does not count.

    Of a picture, windows, products and values are lists of one entry a channel.
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


def operators_text() -> str:
    """Return every named operator: its kernels, what it does, and its source."""
    parts = []
    for operator in OPERATORS.values():
        head = [*operator_lines(operator), f"  {operator.sentence} [{operator.source}]"]
        parts.append("\n".join(head))
    return "\n\n".join(parts)


def operators_json() -> list[dict[str, Any]]:
    """Return every named operator as plain values."""
    return [
        {
            "name": operator.name,
            "kernels": kernels_json(operator),
            "sentence": operator.sentence,
            "source": operator.source,
        }
        for operator in OPERATORS.values()
    ]
