"""Whether a model is worse than another one on the same images, as a requirement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnkit.comparison.compared_runs import ComparedRun, Note, read_compared
from cnnkit.comparison.pair import compare_pair, p_text
from cnnkit.comparison.paired_tests import ALPHA
from cnnkit.comparison.same_images import check_classes
from cnnkit.evaluation.gates import Outcome
from cnnkit.evaluation.predictions import Predictions
from cnnkit.text import count_of, shown

_MODEL = "this model"


def read_baseline(
    path: str, runs_folder: Path, *, evaluation: str, class_names: Sequence[str], note: Note
) -> ComparedRun:
    """Read the run that a model must not be worse than, before its images are scored.

    Args:
        path: a run, a cross-validation, or a CSV file.
        runs_folder: where names are looked up.
        evaluation: the folder in evaluation/ whose predictions are compared.
        class_names: of the model.
        note: called with a sentence if the run is not finished.

    Raises:
        UsageError: there is no such run or evaluation, or its classes are not those of the model.
        DataError: the predictions cannot be read.
    """
    baseline = read_compared(path, runs_folder, evaluation=evaluation, note=note, can_name=False)
    check_classes(baseline.name, baseline.predictions.class_names, _MODEL, class_names)
    return baseline


def check_no_worse(
    predictions: Predictions,
    baseline: ComparedRun,
    *,
    contents: Sequence[str] | None = None,
    on_lower: bool = False,
) -> Outcome:
    """Return whether a model is no worse than another by more than chance explains.

    Args:
        predictions: of the model, for the images of the baseline.
        baseline: the other one.
        contents: sha256 of each image; None if they are not known, so that images are told apart
            by their paths.
        on_lower: require that the lower end of the interval of the difference is at least 0, which
            proves that the model is no worse. Otherwise it is only required that McNemar's exact
            test does not find it worse.

    Raises:
        UsageError: the images or their classes are not those of the baseline.
    """
    model = ComparedRun(_MODEL, Path(), predictions, contents)
    pair = compare_pair(baseline, model)
    is_met = pair.interval[0] >= 0 if on_lower else pair.better != baseline.name
    checked = ("lower end", pair.interval[0], 0.0) if on_lower else ("p-value", pair.p_value, ALPHA)
    return Outcome(
        f"no worse than {baseline.name}",
        f"no worse than {shown(baseline.name)}: {count_of(pair.only_second, 'image')} right only "
        f"here, {pair.only_first:,} only there ({p_text(pair.p_value)}), {pair.difference_text()}: "
        f"{'met' if is_met else 'NOT met'}",
        is_met,
        pair.difference,
        *checked,
    )
