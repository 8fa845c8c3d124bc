"""Trials that are interrupted, fail, end early or repeat another one."""

from __future__ import annotations

import pytest
from notes import Notes
from optuna.trial import TrialState
from studies import DIGITS, InterruptedTrial, known_trial, new_study

from cnnkit.progress import Report
from cnnkit.tuning.final_trainings import final_trainings, train_finals
from cnnkit.tuning.next_trial import MOST_TAKEOVERS, next_trial
from cnnkit.tuning.one_trial import run_trial
from cnnkit.tuning.search_loop import Limits, search
from cnnkit.tuning.study_result import best_trial

pytestmark = pytest.mark.usefixtures("no_pictures")
_RATE = "training.optimizer.adam.learning_rate"
_NO_LIMIT = Limits(num_trials=3, end=None)


def _table(study):
    return [
        (trial.number, trial.state, trial.params, trial.value, trial.intermediate_values)
        for trial in study.trials
    ]


@pytest.fixture(scope="module")
def in_one_go(made_once):
    """Return what a study of three trials gives without an interruption."""

    def fill(folder):
        study = new_study(folder)
        search(study, _NO_LIMIT, Report())

    from cnnkit.runs.study_runs import StudyRuns
    from cnnkit.tuning.study import open_study
    from cnnkit.tuning.study_settings import StudySettings

    runs = StudyRuns(made_once("one-go", fill) / "own")
    settings = StudySettings.read(runs)
    found = open_study(runs, settings, settings.space(DIGITS), None)
    return _table(found)


def test_an_interrupted_study_ends_as_if_it_had_not_been(in_one_go, tmp_path):
    study = new_study(tmp_path)
    for epoch in (2, 1):  # the first trial in its second epoch, the second one before its first
        with pytest.raises(KeyboardInterrupt):
            search(study, _NO_LIMIT, InterruptedTrial(epoch))
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE, TrialState.RUNNING]
    search(study, _NO_LIMIT, Report())
    assert _table(study) == in_one_go
    assert study.runs.trial(0).info()["resumed"] == [1]
    assert sorted(path.name for path in study.runs.folder.glob("trial*")) == [
        "trial000", "trial001", "trial002",
    ]  # fmt: skip


def test_a_trial_is_never_taken_from_a_process_that_holds_it(tmp_path):
    study = new_study(tmp_path)
    with next_trial(study, 2) as first:
        with next_trial(study, 2) as second:
            assert (first.number, second.number) == (0, 1)
            with next_trial(study, 2) as third:
                assert third is None  # both count, although neither has ended
        with next_trial(study, 2) as again:  # the second one was given up
            assert again.number == 1


def test_a_trial_that_was_killed_before_it_had_values_gets_those_it_would_have_had(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    killed, whole = new_study(tmp_path / "a"), new_study(tmp_path / "b")
    for study in (killed, whole):
        with next_trial(study, None) as trial:
            study.optuna_study.tell(trial, 0.5)
    import platform

    killed.optuna_study.enqueue_trial({}, user_attrs={"host": platform.node()})
    killed.prepare_to_ask(1)
    killed.optuna_study.ask()  # and nothing more: the process is gone
    with next_trial(killed, None) as again, next_trial(whole, None) as expected:
        assert again.number == expected.number == 1
        assert again.params == expected.params


def test_a_trial_of_another_machine_is_left_alone(tmp_path):
    study = new_study(tmp_path)
    with next_trial(study, None) as trial:
        trial.set_user_attr("host", "elsewhere")
    with next_trial(study, 1) as again:
        assert again is None


def test_a_trial_that_kills_its_process_again_and_again_has_failed(tmp_path):
    study = new_study(tmp_path)
    for _ in range(1 + MOST_TAKEOVERS):
        with next_trial(study, None) as trial:
            assert trial.number == 0
    with next_trial(study, None) as trial:
        assert trial.number == 1
    first = study.trials[0]
    assert first.state == TrialState.FAIL
    assert first.user_attrs["reason"].startswith("its process was killed 3 times")


def _run(study, values, report=None):
    """Run a trial with given values."""
    study.optuna_study.enqueue_trial(values)
    for waiting in study.optuna_study.get_trials(states=(TrialState.WAITING,)):
        trial = study.optuna_study.ask()
        study.suggest(trial)
        if waiting.system_attrs["fixed_params"] == values:
            run_trial(study, trial, report or Report())
            return study.trials[trial.number]
        study.optuna_study.tell(trial, 0.1)
    raise AssertionError


def test_a_loss_that_becomes_nan_is_recorded_and_the_study_goes_on(tmp_path):
    text = DIGITS.replace("[1e-4, 1e-1]", "[1e-4, 1e30]").replace("adam:", "sgd:")
    study = new_study(tmp_path, text.replace("optimizer.adam.", "optimizer.sgd."))
    rate = _RATE.replace("adam", "sgd")
    failed = _run(study, {rate: 1e30, "data.batch_size": "128"})
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs["reason"].startswith("The loss became NaN or infinite in epoch 1")
    assert study.runs.trial(failed.number).info()["status"] == "failed"
    assert study.runs.trial(failed.number).info()["error"] == failed.user_attrs["reason"]
    good = _run(study, {rate: 0.1, "data.batch_size": "128"})
    assert good.state == TrialState.COMPLETE
    assert best_trial(study).number == good.number


def test_values_that_do_not_fit_together_are_a_failed_trial(tmp_path):
    searched = "  training.epochs: [2, 5]\n  training.warmup_epochs: [0, 2]\n"
    text = DIGITS.partition("search:")[0].replace("epochs: 2", "epochs: 5") + "search:\n" + searched
    study = new_study(tmp_path, text.replace("[0, 2]", "[0, 4]"))
    failed = _run(study, {"training.epochs": "2", "training.warmup_epochs": "4"})
    assert failed.state == TrialState.FAIL
    assert "the warm-up takes 4 epochs" in failed.user_attrs["reason"]
    assert not study.runs.trial(failed.number).folder.exists()


def test_a_trial_that_is_worse_than_half_of_the_others_ends_early(tmp_path):
    study = new_study(tmp_path, DIGITS.replace("epochs: 2", "epochs: 6"))
    for number in range(5):
        scores = {epoch: 0.9999 for epoch in range(1, 7)}
        study.optuna_study.add_trial(
            known_trial(TrialState.COMPLETE, 0.01 + number / 1000, 1.0, scores)
        )
    report = Notes()
    pruned = _run(study, {_RATE: 0.001, "data.batch_size": "128"}, report)
    assert pruned.state == TrialState.PRUNED
    assert list(pruned.intermediate_values) == [1, 2]  # a quarter of six epochs, rounded up
    run = study.runs.trial(pruned.number)
    info = run.info()
    assert (info["status"], info["stopped_by"]) == ("interrupted", "pruning")
    assert "error" not in info
    assert run.best.exists()
    assert "ended after epoch 2, because half of the others were better then" in report.notes[0]
    # Without pruning the same trial is trained to its end.
    (tmp_path / "all").mkdir()
    patient = new_study(tmp_path / "all", DIGITS.replace("epochs: 2", "epochs: 3"), prunes=False)
    for trial in study.trials[:5]:
        patient.optuna_study.add_trial(trial)
    whole = _run(patient, {_RATE: 0.001, "data.batch_size": "128"})
    assert whole.state == TrialState.COMPLETE


def test_the_same_values_are_not_trained_twice_and_a_small_space_is_exhausted(tmp_path):
    text = DIGITS.partition("search:")[0] + "search:\n  data.batch_size: [128, 256]\n"
    study = new_study(tmp_path, text, sampler="random")
    search(study, Limits(num_trials=None, end=None), Report())
    assert {trial.params["data.batch_size"] for trial in study.trials} == {"128", "256"}
    trained = [trial for trial in study.trials if "repeats" not in trial.user_attrs]
    assert len(trained) == 2
    assert len(list(study.runs.folder.glob("trial*"))) == 2
    repeated = _run(study, {"data.batch_size": "256"})
    first = next(trial for trial in trained if trial.params == repeated.params)
    assert repeated.user_attrs["repeats"] == first.number
    assert repeated.value == first.value
    assert study.run_of(repeated).folder == study.run_of(first).folder


def test_final_trainings_are_told_with_the_score_of_the_study(tmp_path):
    study = new_study(tmp_path, metric="log_loss")
    known = known_trial(TrialState.COMPLETE, 0.01, 0.5, as_written=True)
    study.optuna_study.add_trial(known)
    notes = []

    class Notes(Report):
        def note(self, text):
            notes.append(text)

    train_finals(study, 1, Notes())
    (final,) = final_trainings(study, 1)
    metrics = final.run.info()["metrics"]
    validation, test = (metrics[split]["log_loss"] for split in ("validation", "test"))
    assert notes == [f"written with seed 1: log_loss validation {validation:.4f}, test {test:.4f}"]


def test_trials_that_differ_in_the_head_share_features_and_pixels(trained_run, own_cache, tmp_path):
    from cnnkit.config import load_config

    source = load_config(trained_run.config).data.source
    study = new_study(
        tmp_path,
        f"""
data: {{source: {source}, image_size: 16, split: {{validation: 0.2, test: 0.2}}}}
model: {{backbone: {{run: {trained_run.folder}}}, head: [dropout: 0.1]}}
training: {{epochs: 1, tensorboard: false}}
search:
  model.head: {{choices: {{small: [dropout: 0.1], large: [dense: {{units: 8}}]}}}}
  training.label_smoothing: {{uniform: [0, 0.2]}}
""",
    )
    kept = []
    for head in ("small", "large"):
        trial = _run(study, {"model.head": head, "training.label_smoothing": 0.1})
        assert trial.state == TrialState.COMPLETE
        files = [path for path in own_cache.rglob("*") if path.is_file() and path.name != "used"]
        assert [path for path in files if path.name == "features.npy"]
        kept.append({path: path.stat().st_mtime_ns for path in files})
    assert kept[0] == kept[1]  # the second trial has written nothing
