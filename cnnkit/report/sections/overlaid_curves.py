"""The curves of several trainings in the same charts."""

from __future__ import annotations

from markupsafe import Markup

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.comparing import Comparison
from cnnkit.report.charts import MOST_LINES, Line, axis_of, column_of, line_chart
from cnnkit.report.section import Section

_CHARTS = {
    "validation loss": "val_loss",
    "validation accuracy": "val_accuracy",
    "training loss": "train_loss",
    "training accuracy": "train_accuracy",
}


def overlaid_section(comparison: Comparison) -> Section:
    """Return the section of the curves; of many runs, those of the best."""
    title = "Training"
    runs = [run for run in comparison.runs if run.history][:MOST_LINES]
    if not runs:
        return Section("overlaid", title, missing="None of the runs has curves.")
    charts = [_chart(title, column, runs) for title, column in _CHARTS.items()]
    values = {
        "names": [run.name for run in runs],
        "without": [run.name for run in comparison.runs if run not in runs],
        "charts": [chart for chart in charts if chart is not None],
    }
    return Section("overlaid", title, values)


def _chart(title: str, column: str, runs: list[ComparedRun]) -> Markup | None:
    lines = [Line(run.name, column_of(run.history, column)) for run in runs]
    if not all(column in run.history[-1] for run in runs):
        return None
    points = [point for line in lines for point in line.points]
    x = axis_of("epoch", [epoch for epoch, _ in points], whole=True)
    y = axis_of(title, [value for _, value in points])
    ends = "; ".join(
        f"{line.name} {line.points[-1][1]:.3g} in epoch {line.points[-1][0]:.0f}" for line in lines
    )
    return line_chart(lines, x, y, summary=f"{title}: {ends}.", has_legend=False)
