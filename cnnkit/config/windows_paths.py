r"""Advise how to write a Windows path in YAML, where `\` in double quotes begins an escape."""

from __future__ import annotations

import re

import yaml

# A quoted text that begins with a drive or a server, with a single \ after it.
_PATH = re.compile(r'"(?:[A-Za-z]:|\\)\\(?!\\)')
_ESCAPES = {"n": "a line break", "t": "a tab", "r": "a line break", "b": "a backspace"}


def changed_path(node: yaml.ScalarNode) -> str | None:
    r"""Return a message if YAML changed a `\` of a path in double quotes, else None."""
    start, end = node.start_mark, node.end_mark
    if node.style != '"' or start.buffer is None:
        return None
    raw = start.buffer[start.pointer : end.pointer]
    if not _PATH.match(raw):
        return None
    escape = re.search(r"\\(.)", raw[1:])
    means = _ESCAPES.get(escape[1], "another character") if escape else "another character"
    return _advice(raw[1:-1], rf"\{escape[1]} is {means}" if escape else means)


def escape_advice(text: str, error: yaml.MarkedYAMLError) -> str | None:
    r"""Return the advice if YAML stumbled over a `\` in double quotes, else None.

    Args:
        text: the whole YAML text.
        error: what YAML reports.
    """
    mark, problem = error.context_mark, error.problem or ""
    if mark is None or "quoted scalar" not in (error.context or ""):
        return None
    raw = text[mark.index :].partition("\n")[0].rstrip("\r")
    is_escape = "escape" in problem
    if not raw.startswith('"') or not (is_escape or _PATH.match(raw)):
        return None
    inner = re.match(r'"([^"]*)', raw)
    begins = re.search(r"escape character '(.)'", problem)
    what = rf"\{begins[1]} is unknown" if begins else r"\ begins an escape such as \n"
    return _advice(inner[1] if inner else "", what)


def _advice(inner: str, what: str) -> str:
    quoted = inner.rstrip("\\").replace("'", "''")
    slashes = f", or with /: {inner.rstrip(chr(92)).replace(chr(92), '/')}"
    is_path = re.match(r"[A-Za-z]:|\\", inner)
    return f"in double quotes, {what}. Write it in single quotes: '{quoted}'" + (
        f"{slashes}." if is_path else "."
    )
