"""Numbers, matrices and operators as short text for people and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.arithmetic import Formula, Slide, size_formula, times
from cnnkit.explore.kernels.operators import OPERATORS, Operator

_MOST_ROWS = _MOST_COLUMNS = 32  # about as much as a terminal shows
_NOISE = 1e-9  # rounding error, such as what remains of 0.1 + 0.2 - 0.3
_WHOLE = 2.0**53  # below this, every whole number is exact in 64-bit floats


def number_text(value: float) -> str:
    """Return a number as people write it: whole numbers without a point, else 4 decimals at most.

    >>> number_text(12.0), number_text(2.75), number_text(1 / 3), number_text(0.1 + 0.2 - 0.3)
    ('12', '2.75', '0.3333', '0')
    >>> number_text(0.00002)
    '2e-05'
    """
    if abs(value) < _NOISE:
        return "0"
    if abs(value) >= _WHOLE or abs(value) < 0.001:
        return f"{value:.4g}"
    return f"{value:.4f}".rstrip("0").rstrip(".")


def factor_text(value: float) -> str:
    """Return a number for use inside a sum or product; a negative one is put in brackets."""
    return number_text(value) if value >= 0 else f"({number_text(value)})"


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines whose columns are aligned to the right."""
    width = max(len(cell) for row in cells for cell in row)
    return ["  ".join(cell.rjust(width) for cell in row) for row in cells]


def indented(lines: Sequence[str]) -> list[str]:
    """Return lines with two spaces before each."""
    return [f"  {line}" for line in lines]


def matrix_lines(values: np.ndarray) -> list[str]:
    """Return a matrix as lines. A large one is cut off, and a last line says how much."""
    rows, columns = values.shape
    part = values[:_MOST_ROWS, :_MOST_COLUMNS]
    lines = aligned([[number_text(value) for value in row] for row in part])
    if part.shape != values.shape:
        left_out = f"{rows - part.shape[0]} more rows and {columns - part.shape[1]} more columns"
        lines.append(f"... {left_out} are left out here; --json has them.")
    return lines


def plain(values: np.ndarray) -> Any:
    """Return the numbers as nested lists for JSON; whole ones become integers."""
    if values.ndim == 0:
        value = float(values)
        return int(value) if value.is_integer() and abs(value) < _WHOLE else value
    return [plain(part) for part in values]


def size_formulas(slides: tuple[Slide, Slide]) -> list[Formula]:
    """Return the formulas of an output's size; one formula if both axes have the same."""
    rows, columns = slides
    if rows == columns:
        return [size_formula("rows and columns", rows)]
    return [size_formula("rows", rows), size_formula("columns", columns)]


def operator_lines(operator: Operator) -> list[str]:
    """Return the kernels of an operator as lines."""
    lines = []
    for number, kernel in enumerate(operator.kernels):
        part = f", {number + 1} of {len(operator.kernels)}" if len(operator.kernels) > 1 else ""
        shared = f", divided by {kernel.divisor}" if kernel.divisor != 1 else ""
        lines.append(f"{operator.name}{part}, {times(operator.size)}{shared}")
        lines += indented(matrix_lines(kernel.weights))
    return lines


def kernels_json(operator: Operator) -> list[dict[str, Any]]:
    """Return the matrices of an operator as plain values."""
    return [
        {"weights": plain(kernel.weights), "divisor": kernel.divisor} for kernel in operator.kernels
    ]


@dataclass(frozen=True)
class OperatorList:
    """What `cnnkit kernels --list` prints: the named operators with their matrices."""

    operators: tuple[Operator, ...] = tuple(OPERATORS.values())

    def text(self) -> str:
        """Return the matrices of each operator, what it does, and its source."""
        parts = []
        for operator in self.operators:
            head = [*operator_lines(operator), f"  {operator.sentence} [{operator.source}]"]
            parts.append("\n".join(head))
        return "\n\n".join(parts)

    def as_dict(self) -> list[dict[str, Any]]:
        """Return plain values for `--json`."""
        return [
            {
                "name": operator.name,
                "kernels": kernels_json(operator),
                "sentence": operator.sentence,
                "source": operator.source,
            }
            for operator in self.operators
        ]
