"""Rows of values as a table for a terminal, or as plain text for a file or a pipe."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence


def table_text(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    title: str = "",
    fold: bool = True,
) -> str:
    """Return a table, one line per row, with a header.

    On a terminal the header is bold and long cells are folded to the width of the window.
    Anywhere else the text is plain and no cell is folded or cut off.

    Args:
        columns: the header; "" for a column without one.
        rows: the cells, as many per row as there are columns.
        right: the columns that are aligned to the right, such as those of numbers.
        title: a line above the table.
        fold: on a terminal, whether long cells are folded. If not, every row stays one line.

    >>> print(table_text(["class", "images"], [["cat", "12"], ["dog", "7"]], right=["images"]))
    class  images
    cat        12
    dog         7
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            Text(column), justify="right" if column in right else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal and fold else _NEVER_FOLDED
    output = io.StringIO()
    console = Console(file=output, width=width, force_terminal=is_terminal, highlight=False)
    console.print(table)
    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    return "\n".join([title] * bool(title) + lines)


_NEVER_FOLDED = 100_000  # characters per line
