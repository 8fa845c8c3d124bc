"""Turn the name of a file or class into text that the font of our pictures can draw."""

from __future__ import annotations

import functools
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

from cnnkit.text import shown

# Matplotlib's default font: Latin, Greek, Cyrillic and many signs.
FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


def drawable(name: str) -> str:
    r"""Return a name on one line, with a code such as `\u732b` for what the font lacks."""
    return "".join(
        letter if ord(letter) in _charmap() else _code(ord(letter)) for letter in shown(name)
    )


@functools.cache
def _charmap() -> dict[int, int]:
    return FT2Font(str(FONT)).get_charmap()


def _code(number: int) -> str:
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
