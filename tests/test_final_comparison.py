"""What the final trainings of a study say: means, intervals and the verdict."""

from __future__ import annotations

import pytest
from statsmodels.stats.weightstats import CompareMeans

from cnnkit.tuning.final_comparison import FinalComparison, FinalScores
from cnnkit.tuning.study_settings import METRICS

_BEST = [0.90, 0.92, 0.94]
_WRITTEN = [0.85, 0.86, 0.90]


def _compared(best, written, metric="accuracy", split="test"):
    def scores(name, values):
        return FinalScores(name, range(1, 1 + len(values)), {"validation": [0.5], split: values})

    found = None if best is None else scores("trial007", best)
    return FinalComparison(METRICS[metric], found, scores("written", written))


def test_the_interval_is_that_of_two_means_with_different_variances():
    difference, low, high = _compared(_BEST, _WRITTEN).difference
    assert difference == pytest.approx(0.05)
    expected = CompareMeans.from_data(_BEST, _WRITTEN).tconfint_diff(usevar="unequal")
    assert (low, high) == pytest.approx(expected)


def test_a_lower_log_loss_is_better():
    difference, low, high = _compared(_WRITTEN, _BEST, "log_loss").difference
    assert difference == pytest.approx(0.05)
    assert low < difference < high


@pytest.mark.parametrize(
    ("best", "written", "verdict"),
    [
        (_BEST, _WRITTEN, "The search has won nothing that these seeds can show: test accuracy is "
         "0.0500 better than as written (95% interval -0.0048 to +0.1048 over 3 seeds each)."),
        ([0.9, 0.91, 0.92], [0.8, 0.81, 0.82], "The search has won: test accuracy is 0.1000 better "
         "than as written (95% interval +0.0773 to +0.1227 over 3 seeds each)."),
        ([0.8, 0.81, 0.82], [0.9, 0.91, 0.92], "The search has lost: test accuracy is 0.1000 worse "
         "than as written (95% interval -0.1227 to -0.0773 over 3 seeds each). Keep that."),
        ([0.9, 0.9], [0.8, 0.8], "The search has won: test accuracy is 0.1000 better "
         "than as written (95% interval +0.1000 to +0.1000 over 2 seeds each)."),
        ([0.9], [0.8], "On average test accuracy is 0.1000 better than as written, but one seed "
         "may be chance."),
        (None, [0.8], "No trial was better than the config as it is written: keep that."),
    ],
)  # fmt: skip
def test_the_verdict_follows_the_interval(best, written, verdict):
    assert _compared(best, written).verdict() == verdict


def test_the_validation_images_decide_if_there_are_no_test_images():
    found = _compared([0.9], [0.8], split="other")
    assert found.split == "validation"
    assert found.columns() == ["config", "seeds", "validation accuracy"]


def test_the_table_has_means_and_deviations():
    assert _compared(_BEST, _WRITTEN).rows() == [
        ["trial 7", "3", "0.5000", "0.9200 ± 0.0200"],
        ["as written", "3", "0.5000", "0.8700 ± 0.0265"],
    ]
    found = _compared(_BEST, _WRITTEN).as_dict()
    assert found["best"]["test"]["mean"] == pytest.approx(0.92)
    assert found["as_written"]["test"]["deviation"] == pytest.approx(0.0265, abs=1e-4)
