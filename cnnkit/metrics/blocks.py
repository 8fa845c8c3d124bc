"""Go through many rows or columns a block at a time, so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

BLOCK_CELLS = 2_000_000
_COLUMNS = 64  # more than the processor reads in one go


def row_blocks(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (first row, some rows) for all rows of an array (num_rows, num_columns)."""
    step = max(1, BLOCK_CELLS // max(1, array.shape[1]))
    for begin in range(0, len(array), step):
        yield begin, array[begin : begin + step]


def column_blocks(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (first column, some columns as rows) for all columns of an array."""
    for begin in range(0, array.shape[1], _COLUMNS):
        yield begin, array[:, begin : begin + _COLUMNS].T.copy()
