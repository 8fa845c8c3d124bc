"""The curves of several trainings in the same charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from cnnkit.comparison.comparing import Comparison
from cnnkit.report.charts import MOST_LINES, Line, axis_of, column_of, line_chart
from cnnkit.report.section import Section

History = Sequence[Mapping[str, float]]
_CHARTS = {
    "validation loss": "val_loss",
    "validation accuracy": "val_accuracy",
    "training loss": "train_loss",
    "training accuracy": "train_accuracy",
}


def overlaid_section(comparison: Comparison) -> Section:
    """Return the section of the curves; of many runs, those of the best."""
    values = overlaid_curves({run.name: run.history for run in comparison.runs})
    if values is None:
        return Section("overlaid", "Training", missing="None of the runs has curves.")
    return Section("overlaid", "Training", values)


def overlaid_curves(histories: Mapping[str, History]) -> dict[str, Any] | None:
    """Return the values for the template `overlaid.html`; None if no run has curves.

    Args:
        histories: name -> rows of history.csv. The first ones with curves are drawn, as many as
            there are colours.
    """
    drawn = {name: rows for name, rows in histories.items() if rows}
    drawn = dict(list(drawn.items())[:MOST_LINES])
    if not drawn:
        return None
    charts = [_chart(title, column, drawn) for title, column in _CHARTS.items()]
    return {
        "names": list(drawn),
        "without": [name for name in histories if name not in drawn],
        "charts": [chart for chart in charts if chart is not None],
    }


def _chart(title: str, column: str, histories: Mapping[str, History]) -> Markup | None:
    if not all(column in rows[-1] for rows in histories.values()):
        return None
    lines = [Line(name, column_of(rows, column)) for name, rows in histories.items()]
    points = [point for line in lines for point in line.points]
    x = axis_of("epoch", [epoch for epoch, _ in points], whole=True)
    y = axis_of(title, [value for _, value in points])
    ends = "; ".join(
        f"{line.name} {line.points[-1][1]:.3g} in epoch {line.points[-1][0]:.0f}" for line in lines
    )
    return line_chart(lines, x, y, summary=f"{title}: {ends}.", has_legend=False)
