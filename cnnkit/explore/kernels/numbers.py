"""Numbers and matrices enter; the short text that people read, and plain values for JSON, leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnkit.arithmetic import Formula, size_formula
from cnnkit.arithmetic.windows import Slide

_MOST_ROWS = _MOST_COLUMNS = 32
_NOISE = 1e-9  # what is left of 0.1 + 0.2 - 0.3
_WHOLE = 2.0**53  # whole numbers are exact below


def number_text(value: float) -> str:
    """Return a number as people write it: whole numbers without a point, four decimals at most.

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
    """Return a number inside a sum or product: a negative one in brackets."""
    return number_text(value) if value >= 0 else f"({number_text(value)})"


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines whose columns are aligned to the right."""
    width = max(len(cell) for row in cells for cell in row)
    return ["  ".join(cell.rjust(width) for cell in row) for row in cells]


def matrix_lines(values: np.ndarray) -> list[str]:
    """Return a matrix as lines; of a large one its first rows and columns, and what is left out."""
    rows, columns = values.shape
    part = values[:_MOST_ROWS, :_MOST_COLUMNS]
    lines = aligned([[number_text(value) for value in row] for row in part])
    if part.shape != values.shape:
        left_out = f"{rows - part.shape[0]} rows and {columns - part.shape[1]} columns"
        lines.append(f"... {left_out} more are left out here; --json has them.")
    return lines


def plain(values: np.ndarray) -> Any:
    """Return the numbers as nested lists for JSON; whole ones as integers."""
    if values.ndim == 0:
        value = float(values)
        return int(value) if value.is_integer() and abs(value) < _WHOLE else value
    return [plain(part) for part in values]


def size_formulas(slides: tuple[Slide, Slide]) -> list[Formula]:
    """Return how the size of an output comes about; one formula for two equal axes."""
    rows, columns = slides
    if rows == columns:
        return [size_formula("rows and columns", rows)]
    return [size_formula("rows", rows), size_formula("columns", columns)]
