"""Write a generated file, or check with `--check` that it is up to date."""

from __future__ import annotations

import difflib
import sys
from itertools import islice
from pathlib import Path

_MAX_DIFFERING_LINES = 20


def write_or_check(path: Path, text: str) -> None:
    """Write the text, or with `--check` on the command line exit with 1 if the file differs."""
    if sys.argv[1:] not in ([], ["--check"]):
        print(f"usage: python {sys.argv[0]} [--check]", file=sys.stderr)
        sys.exit(2)
    if not sys.argv[1:]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    if there != text:
        lines = difflib.unified_diff(
            there.splitlines(), text.splitlines(), "the file", "as generated", lineterm="", n=1
        )
        print(*islice(lines, _MAX_DIFFERING_LINES), sep="\n", file=sys.stderr)
        print(f"{path} is out of date. Run: python {sys.argv[0]}", file=sys.stderr)
        sys.exit(1)
