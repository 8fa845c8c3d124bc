"""The words that a drawing writes next to a layer: its operation and its size."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnnkit.arithmetic import LayerRow, Shape, pad_words, spread, times

_NAMES = {
    "ConvTranspose": "transposed conv",
    "MaxPooling": "max pool",
    "AveragePooling": "average pool",
    "GlobalMaxPooling": "global max pool",
    "GlobalAveragePooling": "global average pool",
    "Activation": "",
    "ReLU": "relu",
    "LeakyReLU": "leaky relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "SqueezeExcite": "squeeze-excite",
}
_WORD_ENDS = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def operation_words(row: LayerRow) -> str:
    """Return what a layer does, for example `conv 5 x 5, stride 2, relu`."""
    return ", ".join(part for part in _parts(row) if part)


def size_words(shape: Shape | None) -> str:
    """Return the size of a map or a row of numbers.

    >>> size_words((28, 28, 6)), size_words((1200,)), size_words(None)
    ('6 @ 28 x 28', '1,200', '?')
    """
    if shape is None:
        return "?"
    return f"{shape[-1]} @ {times(shape[:-1])}" if len(shape) > 1 else f"{shape[0]:,}"


def lines_of(words: str, most: int = 21) -> list[str]:
    """Break words into lines between the parts, and inside a part that is too long for a line.

    >>> lines_of("average pool 3 x 3, stride 1, relu")
    ['average pool 3 x 3,', 'stride 1, relu']
    """
    # What must stay on one line is joined: numbers such as 3 x 3 with their word by no-break
    # spaces, and the words of one part by \x1f, which the first wrapping does not break.
    kept = re.sub(r"(?<=\d) x (?=\d)|(?<=stride) |(?<=conv) (?=\d)", "\xa0", words)
    kept = re.sub(r"(\d)\xa0(?=\d)", "\\1\xa0x\xa0", kept)
    parts = [part.replace(" ", "\x1f") for part in kept.split(", ")]
    lines: list[str] = []
    for line in textwrap.wrap(", ".join(parts), most, break_long_words=False):
        lines += textwrap.wrap(line.replace("\x1f", " "), most, break_long_words=False)
    return [line.replace("\xa0", " ") for line in lines]


def _parts(row: LayerRow) -> Iterator[str]:
    arguments = row.arguments
    head, _, tail = row.kind.partition(" ")
    found = re.fullmatch(r"(\w+?)([123])D(Transpose)?", head)
    stem = found[1] + (found[3] or "") if found else head
    window = _window(arguments, int(found[2]) if found else 2)
    tail = arguments["mode"] if stem == "Padding" else tail
    name = _NAMES.get(stem, _WORD_ENDS.sub(" ", stem).lower().replace("normalization", "norm"))
    number = f"{arguments['rate']:g}" if name.endswith("dropout") and "rate" in arguments else ""
    yield " ".join(part for part in (name, tail, times(window or ()), number) if part)
    yield from _window_parts(arguments, window)
    yield activation_words(arguments)


def activation_words(arguments: Mapping[str, Any]) -> str:
    """Return the activation among the arguments; "" if there is none or it is linear."""
    found = arguments.get("activation")
    return found if isinstance(found, str) and found != "linear" else ""


def window_of(row: LayerRow) -> tuple[int, ...] | None:
    """Return the height and width of the window that a layer slides over a map."""
    shape = row.input_shapes[0] if row.input_shapes else None
    return _window(row.arguments, len(shape) - 1) if shape and len(shape) > 1 else None


def _window(arguments: Mapping[str, Any], num_axes: int) -> tuple[int, ...] | None:
    size = arguments.get("kernel_size", arguments.get("pool_size"))
    return spread(size, num_axes) if size else None


def _window_parts(arguments: Mapping[str, Any], window: Sequence[int] | None) -> Iterator[str]:
    if not window:
        return
    strides = spread(arguments.get("strides") or window, len(window))
    if set(strides) != {1} or "pool_size" in arguments:
        yield f"stride {_short(strides)}"
    dilation = spread(arguments.get("dilation_rate") or 1, len(window))
    if set(dilation) != {1}:
        yield f"dilation {_short(dilation)}"
    if arguments.get("pad"):
        yield pad_words(arguments["pad"])
    if (arguments.get("groups") or 1) > 1:
        yield f"{arguments['groups']} groups"


def _short(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else times(sizes)
