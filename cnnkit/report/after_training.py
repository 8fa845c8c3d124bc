"""Write the report and the model card of a finished training; the run is complete without them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from cnnkit.errors import CnnkitError, reason_of
from cnnkit.evaluation.pooled_folds import FoldEvaluation
from cnnkit.report.model_card import write_model_card
from cnnkit.report.run_report import write_report
from cnnkit.runs import Run
from cnnkit.runs.fold_runs import read_folds
from cnnkit.text import quoted


def report_after_training(
    trained: Run | FoldEvaluation, note: Callable[[str], Any] = warnings.warn
) -> None:
    """Write the quick version of the report, and the model card; say so if that is not possible.

    Args:
        trained: the finished run or cross-validation.
        note: called with a sentence if there is no report.
    """
    folder = trained.folder if isinstance(trained, Run) else trained.run_folder
    try:
        of = trained if isinstance(trained, Run) else read_folds(folder)
        write_report(of, quick=True)
        write_model_card(of)
    except (CnnkitError, OSError) as error:
        note(
            f"The training is complete, but its report could not be written: {reason_of(error)} "
            f"To try again: cnnkit report {quoted(folder)}"
        )
