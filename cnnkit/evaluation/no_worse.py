"""Whether a model is worse than another one on the same images, as a requirement."""

from __future__ import annotations

from pathlib import Path

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.pair import compare_pair, p_text
from cnnkit.evaluation.gates import Outcome
from cnnkit.evaluation.predictions import Predictions
from cnnkit.text import count_of, shown


def check_no_worse(
    predictions: Predictions, baseline: ComparedRun, *, on_lower: bool = False
) -> Outcome:
    """Return whether a model is no worse than another by more than chance explains.

    Args:
        predictions: of the model, for the images of the baseline.
        baseline: the other one.
        on_lower: require that the lower end of the interval of the difference is at least 0, which
            proves that the model is no worse. Otherwise it is only required that McNemar's exact
            test does not find it worse.

    Raises:
        UsageError: the images or their classes are not those of the baseline.
    """
    model = ComparedRun("this model", Path(), predictions)
    # The contents of our images are not known here, so they are told apart by their paths.
    other = ComparedRun(baseline.name, baseline.path, baseline.predictions)
    pair = compare_pair(other, model)
    is_met = pair.interval[0] >= 0 if on_lower else pair.better != other.name
    return Outcome(
        f"no worse than {baseline.name}",
        f"no worse than {shown(baseline.name)}: {count_of(pair.only_second, 'image')} right only "
        f"here, {pair.only_first:,} only there ({p_text(pair.p_value)}), {pair.difference_text()}: "
        f"{'met' if is_met else 'NOT met'}",
        is_met,
    )
