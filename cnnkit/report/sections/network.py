"""The network: a drawing of it, and what each layer costs."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

from cnnkit.errors import CnnkitError
from cnnkit.explore.summarize import summarize
from cnnkit.explore.summary_text import Summary, flops_text, shape_text
from cnnkit.report.run_facts import RunFacts
from cnnkit.report.section import Section
from cnnkit.text import size_text

_MOST_BYTES = 400_000  # of the drawing; one of a deep network is larger than all images
_MOST_ROWS = 400


def network_section(facts: RunFacts) -> Section:
    """Return the section of the network."""
    title = "The network"
    command = f"cnnkit summary {facts.run.argument}"
    if not facts.run.best.is_file():
        missing = "There are no weights yet."
        return Section("network", title, missing=missing, command=command)
    try:
        summary = summarize(facts.run.best, batch_size=facts.config.data.batch_size)
    except CnnkitError as error:  # a layer that only Keras knows
        return Section("network", title, missing=f"Its layers cannot be listed: {error}")
    rows = summary.rows[:_MOST_ROWS]
    values = {
        "input": shape_text(summary.input_shape),
        "totals": _totals(summary, facts),
        "rows": [_row(row) for row in rows],
        "more": len(summary.rows) - len(rows),
        "drawing": _drawing(summary),
        "command": f"{command} --explain",
    }
    return Section("network", title, values)


def _totals(summary: Summary, facts: RunFacts) -> list[tuple[str, str]]:
    totals = []
    if summary.parameters is not None:
        totals.append(("parameters", f"{summary.parameters:,}"))
    if summary.multiply_adds is not None:
        operations = flops_text(2 * summary.multiply_adds)
        totals.append(("multiply-adds for one image", f"{summary.multiply_adds:,} ({operations})"))
    if facts.run.tflite.is_file():
        totals.append(("size of model.tflite", size_text(facts.run.tflite.stat().st_size)))
    return totals


def _row(row: Any) -> dict[str, str]:
    parameters = None if row.parameters is None else row.parameters + row.non_trainable
    return {
        "name": row.name,
        "kind": row.kind,
        "detail": row.detail,
        "output": shape_text(row.output_shape),
        "parameters": _number(parameters),
        "multiply_adds": _number(row.multiply_adds),
        "field": shape_text(row.receptive_field) if row.receptive_field else "",
    }


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}" if value else ""


def _drawing(summary: Summary) -> str:
    """Return the drawing as the `src` of an `<img>`; nothing if it would be too large."""
    from cnnkit.plots.diagram import plot_diagram

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.svg"
        plot_diagram(summary.rows, summary.input_shape, path)
        drawing = path.read_bytes()
    if len(drawing) > _MOST_BYTES:
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode()}"
