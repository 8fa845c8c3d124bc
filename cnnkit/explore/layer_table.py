"""The arithmetic of a model enters; a table for people leaves, with the formulas where asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnkit.arithmetic import LayerRow
from cnnkit.explore.layer_summary import BYTES, Summary
from cnnkit.text import size_text

_HEADER = (
    "layer", "", "output", "parameters", "multiply-adds", "receptive field", "stride", "start",
    "memory",
)  # fmt: skip
_NUMBERS = (3, 4, 8)  # the columns that are set to the right
_INDENT = "  "


def summary_table(summary: Summary, *, explain: bool = False) -> str:
    """Return the table of layers and what they come to.

    Args:
        summary: what to show.
        explain: whether each layer is followed by the formulas behind its numbers.
    """
    image = ("image", "", _shape(summary.input_shape), "", "", "1 x 1", "1", "0", "")
    body = [_HEADER, image, *(_cells(summary, row) for row in summary.rows)]
    used = [column for column in range(len(_HEADER)) if any(line[column] for line in body[2:])]
    widths = {column: max(len(line[column]) for line in body) for column in used}
    lines = [_line(line, widths) for line in body]
    rule = "-" * max(map(len, lines))
    lines.insert(1, rule)
    if explain:
        lines = [*lines[:3], *_explained(summary, lines[3:])]
    return "\n".join([*lines, rule, *_totals(summary)])


def _line(cells: Sequence[str], widths: dict[int, int]) -> str:
    parts = [
        cells[column].rjust(width) if column in _NUMBERS else cells[column].ljust(width)
        for column, width in widths.items()
    ]
    return "  ".join(parts).rstrip()


def _explained(summary: Summary, lines: Sequence[str]) -> Iterator[str]:
    for position, line in enumerate(lines):
        yield line
        for formula in summary.formulas(position):
            yield f"{_INDENT * 3}{formula}"


def _cells(summary: Summary, row: LayerRow) -> tuple[str, ...]:
    parameters = None if row.parameters is None else row.parameters + row.non_trainable
    known = row.receptive_field is not None
    return (
        _INDENT * _depth(row) + row.name,
        row.detail,
        _shape(row.output_shape),
        _number(parameters),
        _number(row.multiply_adds),
        _shape(row.receptive_field) if known else "",
        _pair(row.field_stride) if known else "",
        _pair(row.field_start) if known else "",
        _memory(summary.bytes_of(row)),
    )


def _depth(row: LayerRow) -> int:
    """Return in how many blocks, or models within models, a layer is."""
    if all(isinstance(step, int) for step in row.path):
        return len(row.path) - 1
    return sum(step in ("residual", "branches") for step in row.path)


def _totals(summary: Summary) -> Iterator[str]:
    if summary.parameters is None or summary.multiply_adds is None:
        yield "Totals: unknown, because of the layers marked ?; `cnnkit build` counts them."
        return
    fixed = summary.parameters - summary.trained
    size = size_text(BYTES * summary.parameters)
    yield f"{summary.parameters:,} parameters ({fixed:,} not trained), {size}."
    flops = flops_text(2 * summary.multiply_adds)
    yield f"{summary.multiply_adds:,} multiply-adds ({flops}) an image."
    share = summary.dense_parameters / max(summary.trained, 1)
    yield f"{share:.0%} of the trained parameters are in dense layers."
    yield from _reach(summary)
    if summary.training_bytes is not None:
        yield (
            f"Memory at batch size {summary.batch_size}: maps "
            f"{size_text(summary.activation_bytes)}; training about "
            f"{size_text(summary.training_bytes)}, and what TensorFlow itself needs."
        )


def _reach(summary: Summary) -> Iterator[str]:
    """Say how much of the image the last map sees, before everything is thrown together."""
    maps = [row for row in summary.rows if len(row.output_shape or ()) == 3]
    if maps and maps[-1].receptive_field:
        last, image = maps[-1], summary.input_shape[:2]
        seen = tuple(map(min, last.receptive_field, image))
        part = "all of the" if seen == image else f"{_shape(seen)} of"
        yield f"A number of the last map ({last.name}) sees {part} {_shape(image)} pixels."


def flops_text(flops: int) -> str:
    """Return a number of operations for people.

    >>> flops_text(832), flops_text(833_040), flops_text(3_628_146_688)
    ('832 FLOPs', '0.8 MFLOPs', '3.6 GFLOPs')
    """
    if flops >= 1e9:
        return f"{flops / 1e9:,.1f} GFLOPs"
    return f"{flops / 1e6:,.1f} MFLOPs" if flops >= 1e5 else f"{flops:,} FLOPs"


def _memory(size: int | None) -> str:
    return "?" if size is None else size_text(size) if size else ""


def _pair(pair: Sequence[int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else ", ".join(map(str, pair))


def _shape(shape: Sequence[int] | None) -> str:
    return "?" if shape is None else " x ".join(map(str, shape))


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}" if value else ""
