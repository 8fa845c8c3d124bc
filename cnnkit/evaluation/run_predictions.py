"""Find the predictions that an evaluation of a run has written."""

from __future__ import annotations

from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.runs import Run
from cnnkit.text import quoted, shown


def run_predictions(run: Run, evaluation: str, *, can_name: bool = True) -> Path:
    """Return the `predictions.csv` of an evaluation of a run.

    Args:
        run: a run that has been evaluated.
        evaluation: the name of the folder in `evaluation/`: a split, or that of other data.
        can_name: whether the command has an option --evaluation that names another one.

    Raises:
        UsageError: there is no such evaluation; the text says how to make one.
    """
    file = run.evaluation(evaluation) / "predictions.csv"
    if not file.is_file():
        raise UsageError(_how_to_score(run, evaluation, can_name))
    return file


def _how_to_score(run: Run, evaluation: str, can_name: bool) -> str:
    option = "--split" if evaluation in ("train", "validation", "test") else "--data DATA --name"
    default = evaluation == "test"
    command = f"cnnkit evaluate {run.argument}{'' if default else f' {option} {evaluation}'}"
    folder = run.folder / "evaluation"
    there = sorted(path.parent.name for path in folder.glob("*/predictions.csv"))
    has = f" It has {', '.join(map(shown, there))}." if there else ""
    other = f", or take --evaluation {quoted(there[-1])}" if there and can_name else ""
    missing = f"{run.folder} has no evaluation called {shown(evaluation)}.{has}"
    return f"{missing} Write it: {command}{other}"
