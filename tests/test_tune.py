"""`cnnkit tune`: a study of real trainings, its runs and files, and what it says."""

from __future__ import annotations

import csv
import json

import pytest
import yaml
from PIL import Image
from studies import DIGITS, new_study, tune_digits, write_config
from training_commands import weights_of
from whole_command import run as command

import cnnkit
from cnnkit.config import load_config
from cnnkit.runs.study_runs import StudyRuns, find_study
from cnnkit.tuning.study_settings import StudySettings

_RATE = "training.optimizer.adam.learning_rate"


@pytest.fixture(scope="module")
def folder(made_once):
    """Return a folder with the study `digits-tune`; tests must not change it."""
    return made_once("study", tune_digits) / "runs"


@pytest.fixture(scope="module")
def shown(folder):
    """Return the JSON of the study; everything is trained already, so this only reads."""
    done = command("tune", "--resume", folder / "digits-tune", "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def _rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_first_trial_is_the_config_as_it_is_written(shown, folder):
    first = shown["trials"][0]
    assert first["as_written"] is True
    assert first["values"] == {_RATE: 0.01, "data.batch_size": "128"}
    written = load_config(folder.parent / "digits.yaml").without_search()
    assert load_config(StudyRuns(folder / "digits-tune").trial(0).config) == written


def test_every_trial_is_a_run_scored_by_its_validation_images_alone(shown, folder):
    assert [trial["trial"] for trial in shown["trials"]] == [0, 1, 2, 3]
    for trial in shown["trials"]:
        run = StudyRuns(folder / "digits-tune").trial(trial["trial"])
        metrics = run.info()["metrics"]
        assert list(metrics) == ["validation"]
        assert metrics["validation"]["accuracy"] == trial["value"]
        assert not run.evaluation("test").exists()
        config = load_config(run.config)
        assert config.training.optimizer.arguments["learning_rate"] == trial["values"][_RATE]
        assert str(config.data.batch_size) == trial["values"]["data.batch_size"]
        rows = _rows(run.history)
        reported = [trial["by_epoch"][str(int(row["epoch"]))] for row in rows]
        assert reported == [float(row["val_accuracy"]) for row in rows]


def test_a_trial_is_what_train_makes_of_its_config(shown, folder, tmp_path):
    run = StudyRuns(folder / "digits-tune").trial(2)  # not the first one of its process
    again = cnnkit.train(run.config, runs_folder=tmp_path)
    for before, now in zip(weights_of(run), weights_of(again), strict=True):
        assert (before == now).all()


def test_the_best_config_is_a_config_that_says_why(shown, folder):
    values = [trial["value"] for trial in shown["trials"]]
    assert shown["best"]["value"] == max(values)
    assert shown["best_so_far"] == [max(values[: end + 1]) for end in range(4)]
    best = folder / "digits-tune" / "best.yaml"
    assert shown["config"] == str(best)
    run = StudyRuns(folder / "digits-tune").trial(shown["best"]["trial"])
    assert load_config(best) == load_config(run.config)
    head = best.read_text().partition("\ndata:")[0]
    assert f"the best of 4 trials of `cnnkit tune`: trial {shown['best']['trial']}." in head
    assert f"validation accuracy was {max(values):.4f} with seed 0; as written" in head
    assert f"#   {_RATE}: {shown['best']['values'][_RATE]}" in head


def test_final_trainings_have_seeds_of_their_own_and_are_tested(shown, folder):
    runs = StudyRuns(folder / "digits-tune")
    best, written = shown["final"]["best"], shown["final"]["as_written"]
    for each in (best, written):
        assert each["seeds"] == [1]
        run = runs.final / f"{each['name']}-seed1"
        info = json.loads((run / "run.json").read_text())
        assert info["seed"] == 1
        assert info["metrics"]["test"]["accuracy"] == each["test"]["mean"]
    assert best["name"] == f"trial{shown['best']['trial']:03}"
    difference = best["test"]["mean"] - written["test"]["mean"]
    assert shown["final"]["better_by"] == pytest.approx(difference)
    assert shown["final"]["verdict"].endswith("but one seed may be chance.")


def test_the_table_and_the_pictures_are_written(shown, folder):
    rows = _rows(folder / "digits-tune" / "trials.csv")
    assert [float(row["accuracy"]) for row in rows] == [t["value"] for t in shown["trials"]]
    assert [float(row[_RATE]) for row in rows] == [t["values"][_RATE] for t in shown["trials"]]
    assert rows[0]["note"] == "as written"
    with Image.open(folder / "digits-tune" / "plots" / "history.png") as image:
        assert image.width > 500
    assert shown["importances"] is None  # of four trials nothing can be said


def test_people_get_a_table_with_the_best_trial_marked(shown, folder):
    done = command("tune", "--resume", "digits-tune", "--runs-folder", folder)
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "trial",
        "accuracy",
        "epochs",
        "time",
        "learning_rate",
        "batch_size",
    ]
    best = [line.split() for line in lines[1:5] if "best" in line]
    assert [words[:2] for words in best] == [
        [str(shown["best"]["trial"]), f"{shown['best']['value']:.4f}"]
    ]
    assert f"next        cnnkit train {folder / 'digits-tune' / 'best.yaml'}" in lines
    assert "digits-tune, 4 trials so far" in done.stderr


def test_other_commands_understand_the_runs_of_a_study(shown, folder):
    study = folder / "digits-tune"
    listed = command("runs", "list", "--runs-folder", study, "--split", "validation", "--sort",
                     "accuracy", "--json")  # fmt: skip
    first = json.loads(listed.stdout)["runs"][0]
    assert first["status"] == "finished"
    assert first["metrics"]["validation"]["accuracy"] == shown["best"]["value"]
    names = [
        study / "final" / f"{name}-seed1" for name in ("written", shown["final"]["best"]["name"])
    ]
    compared = command("compare", *names, "--json")
    assert compared.exit_code == 0, compared.stderr
    above = command("runs", "--runs-folder", folder)
    assert "There is no run in" in above.stdout
    assert (
        f"digits-tune is a study of `cnnkit tune`. Its runs: cnnkit runs --runs-folder {study}"
        in (above.stderr)
    )
    named = command("predict", "a.png", "--model", study)
    assert named.exit_code == 2
    assert (
        f"is a study, whose trials are its runs. Name one of them, for example {study}/trial"
        in (named.stderr)
    )


def test_train_says_that_it_ignores_the_search(tmp_path):
    path = write_config(tmp_path)
    done = command("train", path, "--epochs", 1, "--runs-folder", tmp_path / "runs")
    assert done.exit_code == 0, done.stderr
    assert "search is ignored: `cnnkit train` trains the config as it is written." in done.stderr
    assert "search" not in yaml.safe_load((tmp_path / "runs/digits/config.yaml").read_text())


def test_a_dry_run_shows_the_space_and_writes_nothing(tmp_path):
    path = write_config(tmp_path)
    words = ["tune", path, "--dry-run", "--trials", 6, "--runs-folder", tmp_path / "runs"]
    done = command(*words, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["as_written"] == {_RATE: 0.01, "data.batch_size": "128"}
    assert found["combinations"] is None
    assert found["expected_seconds"] == pytest.approx(6 * found["expected_seconds_per_trial"])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument 'CONFIG' (or --resume)."),
        (["--resume", "x", "--sampler", "random"], "--resume continues a study as it was begun."),
        (["--resume", "x"], "x is not the folder of a study (it has no study.json)."),
        (["--resume"], "There is no study in runs/. Start one: cnnkit tune CONFIG."),
        (["none.yaml"], "There is no config none.yaml."),
    ],
)
def test_wrong_commands_are_refused(words, message):
    done = command("tune", *words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_nothing_is_written_if_there_is_nothing_to_choose_by(tmp_path):
    path = write_config(tmp_path, DIGITS.replace("test: 0.2", "validation: 0, test: 0.2"))
    done = command("tune", path, "--runs-folder", tmp_path / "runs")
    assert done.exit_code == 2
    assert "There are no validation images, and the search chooses by their score." in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_missing_or_old_optuna_is_named(tmp_path, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def missing(name):
        raise PackageNotFoundError(name)

    path = write_config(tmp_path)
    monkeypatch.setattr("cnnkit.tuning.study_settings.version", missing)
    assert 'pip install "cnnkit[tune]"' in command("tune", path).stderr
    monkeypatch.setattr("cnnkit.tuning.study_settings.version", lambda name: "4.8.0")
    assert "needs Optuna 4.9 or newer, and 4.8.0 is installed" in command("tune", path).stderr


def test_a_password_is_not_kept_and_a_storage_has_one_study_of_a_name(tmp_path):
    from cnnkit.tuning.study import absolute_url, create_study, without_password

    url = "postgresql://me:secret@host/db"
    assert without_password(absolute_url(url)) == "postgresql://me:***@host/db"
    study = new_study(tmp_path)
    shared = absolute_url(f"sqlite:///{tmp_path / 'shared.db'}")
    settings = StudySettings("own", shared, "digits.yaml", str(tmp_path))
    create_study(study.runs, settings, study.space, shared)
    joined = create_study(study.runs, settings, study.space, shared)
    assert len(joined.optuna_study.get_trials()) == 1  # the config as written, waiting, only once
    other = settings.space(DIGITS.replace("epochs: 2", "epochs: 3"))
    with pytest.raises(cnnkit.errors.UsageError, match="has a study own already, with another"):
        create_study(study.runs, settings, other, shared)


def test_a_study_that_is_gone_is_named_without_a_password(tmp_path, monkeypatch):
    import optuna

    from cnnkit.tuning.study import open_study

    empty = optuna.storages.InMemoryStorage()
    monkeypatch.setattr("cnnkit.tuning.study._storage", lambda url: empty)
    settings = StudySettings("own", "postgresql://me:***@host/db", "digits.yaml", str(tmp_path))
    runs, space = StudyRuns(tmp_path), settings.space(DIGITS)
    with pytest.raises(cnnkit.errors.UsageError, match="cnnkit tune CONFIG") as refused:
        open_study(runs, settings, space, "postgresql://me:secret@host/db")
    assert str(refused.value).startswith("postgresql://me:***@host/db has no study own.")


def test_a_storage_that_cannot_be_used_is_refused_and_nothing_is_written(tmp_path):
    path = write_config(tmp_path)
    words = ["tune", path, "--runs-folder", tmp_path, "--name"]
    new_study(tmp_path)
    for name, url, message in (
        ("a", "study.db", "--storage takes the URL of a database"),
        ("a", "sqlite:////nowhere/study.db", "nowhere/study.db cannot be used: "),
        ("own", "sqlite:///study.db", "own exists and belongs to something else."),
    ):
        done = command(*words, name, "--storage", url)
        assert done.exit_code == 2
        assert message in done.stderr
    assert not (tmp_path / "a").exists()


def test_a_damaged_study_file_is_named(tmp_path):
    study = new_study(tmp_path)
    path = study.runs.folder / "study.json"
    for content in ("{", "[]", '{"study": "own"}'):
        path.write_text(content)
        with pytest.raises(cnnkit.errors.UsageError, match=r"study.json is damaged"):
            StudySettings.read(find_study(study.runs.folder, tmp_path))


def test_a_study_is_removed_with_its_runs(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "runs")
    (tmp_path / "runs" / "digits-tune" / "notes.txt").write_text("mine")
    done = command("runs", "rm", "digits-tune", "--yes", "--runs-folder", tmp_path / "runs")
    assert done.exit_code == 0, done.stderr
    left = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["notes.txt"]
