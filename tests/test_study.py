"""A study as a whole: when it ends, which trial is the best, what its storage does to it."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.trial import TrialState
from studies import RATE, known_trial, new_study

from cnnkit.errors import CnnkitError
from cnnkit.progress import Report
from cnnkit.tuning.next_trial import next_trial
from cnnkit.tuning.search_loop import MOST_FAILURES, Limits, check_failures, search
from cnnkit.tuning.study_result import best_trial


def test_a_study_ends_after_ten_failures_in_a_row(tmp_path):
    study = new_study(tmp_path)
    for number in range(MOST_FAILURES - 1):
        study.optuna_study.add_trial(known_trial(TrialState.FAIL, 0.01 + number / 1000))
    check_failures(study)
    study.optuna_study.add_trial(known_trial(TrialState.FAIL, 0.05, reason="the last one."))
    with pytest.raises(CnnkitError, match="The last 10 trials have all failed.*the last one."):
        check_failures(study)
    with pytest.raises(CnnkitError, match="No trial was trained to its end.*the last one"):
        best_trial(study)
    study.optuna_study.add_trial(known_trial(TrialState.COMPLETE, 0.06, 0.9))
    check_failures(study)


def test_the_best_of_equal_trials_has_the_lowest_log_loss(tmp_path):
    study = new_study(tmp_path)
    for rate, loss in ((0.01, 0.3), (0.02, 0.2), (0.03, 0.4)):
        study.optuna_study.add_trial(known_trial(TrialState.COMPLETE, rate, 0.9, log_loss=loss))
    assert study.best().params[RATE] == 0.02
    (tmp_path / "low").mkdir()
    low = new_study(tmp_path / "low", metric="log_loss")
    for rate, loss in ((0.01, 0.3), (0.02, 0.2)):
        low.optuna_study.add_trial(known_trial(TrialState.COMPLETE, rate, loss, log_loss=loss))
    assert low.best().value == 0.2


def test_the_importance_names_the_key_that_matters(tmp_path):
    study = new_study(tmp_path)
    for number in range(12):
        rate = 10 ** (-4 + number / 4)
        study.optuna_study.add_trial(known_trial(TrialState.COMPLETE, rate, math.log10(rate)))
    found = study.importances()
    assert sum(found.values()) == pytest.approx(1)
    assert found[RATE] > 0.9


def test_no_trial_begins_that_would_not_end_in_time(tmp_path):
    study = new_study(tmp_path)
    begin = datetime(2026, 1, 1)
    for minutes in (1, 2, 9):  # most take two minutes
        known = known_trial(TrialState.COMPLETE, 0.01 * minutes, 0.9)
        known.datetime_start, known.datetime_complete = begin, begin + timedelta(minutes=minutes)
        study.optuna_study.add_trial(known)
    assert Limits(None, time.time() + 130).allow(study)
    assert not Limits(None, time.time() + 110).allow(study)
    assert search(study, Limits(None, time.time() + 110), Report())
    assert len(study.trials) == 3


def test_a_storage_that_fails_is_named_and_the_runs_are_kept(tmp_path):
    study = new_study(tmp_path)
    study.runs.storage.write_bytes(b"not a database " * 1000)
    with pytest.raises(CnnkitError, match="The storage of the study failed: .*--resume"):
        search(study, Limits(3, None), Report())


def test_random_search_does_not_look_at_the_scores(tmp_path):
    tried = []
    for name, value in (("a", 0.1), ("b", 0.9)):
        (tmp_path / name).mkdir()
        study = new_study(tmp_path / name, sampler="random")
        for _ in range(3):
            with next_trial(study, None) as trial:
                study.optuna_study.tell(trial, value)
        tried.append([trial.params for trial in study.trials])
    assert tried[0] == tried[1]
    assert isinstance(study.optuna_study.sampler, optuna.samplers.RandomSampler)
