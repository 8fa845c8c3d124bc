"""The scores of a finished run, as all loggers name them."""

from __future__ import annotations

from cnnkit.runs import Run


def final_scores(run: Run) -> dict[str, float]:
    """Return what run.json has as metrics, as in `test_accuracy`; nothing before there are any."""
    return {
        f"{split}_{name}": value
        for split, values in (run.info().get("metrics") or {}).items()
        for name, value in values.items()
    }
