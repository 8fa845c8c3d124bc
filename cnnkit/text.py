"""Format names, lists of names, counts and sizes for messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

# Characters that break a line or control the terminal. Bytes that are not UTF-8 stay unchanged.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def shown(name: str) -> str:
    r"""Return a name unchanged, or as a JSON string in quotes if it has control characters.

    A name that begins with a quote is quoted too, so that no two names look the same.

    >>> print(shown("cat/1.jpg"), shown("new\nline.jpg"), shown('"a".png'))
    cat/1.jpg "new\nline.jpg" "\"a\".png"
    """
    return json.dumps(name) if _CONTROL.search(name) or name.startswith('"') else name


def first_few(names: Iterable[str], limit: int = 3) -> str:
    """Join names for a message, followed by the number of those that are not shown.

    >>> first_few(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    >>> first_few(["a", "b"])
    'a, b'
    """
    names = list(names)
    few = ", ".join(map(shown, names[:limit]))
    left = len(names) - limit
    return f"{few} and {left:,} more" if left > 0 else few


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, in the plural if it is not 1.

    >>> count_of(1, "image"), count_of(2000, "image")
    ('1 image', '2,000 images')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size_text(num_bytes: int) -> str:
    """Return a size with its unit; 1 MB is a million bytes.

    >>> size_text(17_817_600), size_text(0), size_text(6_021_120_000)
    ('17.8 MB', '0 bytes', '6.0 GB')
    """
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= size:
            return f"{num_bytes / size:,.1f} {unit}"
    return f"{num_bytes} bytes"
