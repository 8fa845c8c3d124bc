"""Names and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cnnkit.text import shown


def code(name: str) -> str:
    """Return a name as code, in which no character has a meaning.

    >>> print(code("cat"), code("a`b"))
    `cat` `a'b`
    """
    return f"`{shown(name).replace('`', chr(39))}`"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    r"""Return the lines of a table; all columns but the first are aligned to the right.

    >>> print("\n".join(markdown_table(["class", "images"], [["a|b", "2"]])))
    | class | images |
    |---|---:|
    | a\|b | 2 |
    """
    lines = [header, *rows]
    cells = [" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines]
    rule = "|".join(["---", *["---:"] * (len(header) - 1)])
    return [f"| {cells[0]} |", f"|{rule}|", *(f"| {line} |" for line in cells[1:])]
