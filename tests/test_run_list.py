"""`cnnkit runs list|show|best`: every run is listed, also one that is damaged or half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_runs import made_run
from whole_command import run as command

from cnnkit.errors import UsageError
from cnnkit.locks import held
from cnnkit.runs import create_run
from cnnkit.runs.run_details import run_details
from cnnkit.runs.run_list import best_run, list_runs, sort_runs


@pytest.fixture
def three_runs(tmp_path):
    runs = tmp_path / "runs"
    made_run(runs, "b", seconds=90, accuracy=0.7, log_loss=0.9, started="2026-01-02T00:00:00+00:00")
    made_run(runs, "a", seconds=30, accuracy=0.8, log_loss=0.4, started="2026-01-01T00:00:00+00:00")
    made_run(runs, "c", seconds=60, accuracy=0.6, log_loss=0.1, started="2026-01-03T00:00:00+00:00")
    return runs


def _names(runs, *options):
    done = command("runs", *options, "--runs-folder", runs, "--json")
    assert done.exit_code == 0, done.output
    return [each["name"] for each in json.loads(done.stdout)["runs"]]


@pytest.mark.parametrize(
    ("options", "order"),
    [
        ([], "cba"),
        (["--sort", "run"], "abc"),
        (["--sort", "minutes"], "acb"),
        (["--sort", "minutes", "--reverse"], "bca"),
        (["--sort", "accuracy"], "abc"),
        (["--sort", "log_loss"], "cab"),
        (["list", "--sort", "started", "--reverse"], "abc"),
    ],
)
def test_runs_are_sorted_by_any_column(three_runs, options, order):
    assert "".join(_names(three_runs, *options)) == order


def test_a_run_without_the_value_is_last_in_both_directions(three_runs):
    with create_run("none", three_runs).recording():
        pass
    assert _names(three_runs, "--sort", "accuracy")[-1] == "none"
    assert _names(three_runs, "--sort", "accuracy", "--reverse")[-1] == "none"


def test_the_table_shows_status_metric_minutes_images_and_data(three_runs):
    text = command("runs", "--runs-folder", three_runs, "--sort", "log_loss").stdout
    header, first, *_ = text.splitlines()
    assert header.split() == (
        "run status epochs test log_loss minutes parameters images data started".split()
    )
    assert first.split()[:8] == ["c", "finished", "3", "0.1000", "1.0", "1,234", "15", "photos"]


def test_an_unknown_column_is_refused_with_the_nearest(three_runs):
    done = command("runs", "--sort", "acuracy", "--runs-folder", three_runs)
    assert done.exit_code == 2
    assert "no column acuracy. Did you mean accuracy?" in done.stderr
    assert "minutes" in done.stderr


def _damage(run):
    (run.folder / "run.json").write_text("{")


def _empty(run):
    (run.folder / "run.json").write_text("")


def _without_model(run):
    run.tflite.unlink()


def _with_an_empty_model(run):
    run.best.write_bytes(b"")


def _pipe(run):
    (run.folder / "run.json").unlink()
    os.mkfifo(run.folder / "run.json")


@pytest.mark.parametrize(
    ("damage", "status", "words"),
    [
        (_damage, "damaged", "run.json is damaged"),
        (_empty, "damaged", "it is empty"),
        (_pipe, "damaged", "it is a pipe, not a file"),
        (_without_model, "damaged", "model.tflite missing or empty"),
        (_with_an_empty_model, "damaged", "weights/best.keras missing or empty"),
        (lambda run: (run.folder / "run.json").unlink(), "incomplete", "it has no run.json"),
    ],
)
def test_a_damaged_run_is_listed_and_shown_with_the_reason(three_runs, damage, status, words):
    damage(made_run(three_runs, "hurt"))
    done = command("runs", "--runs-folder", three_runs)
    assert done.exit_code == 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("hurt "))
    assert row.split()[1] == status
    assert words in done.stdout.splitlines()[-1]
    shown = command("runs", "show", "hurt", "--runs-folder", three_runs, "--json")
    assert words in json.loads(shown.stdout)["problem"]
    assert command("runs", "show", "hurt", "--runs-folder", three_runs).exit_code == 0


def test_a_killed_training_is_interrupted_and_a_living_one_is_running(three_runs):
    killed, living = create_run("killed", three_runs), create_run("living", three_runs)
    for run, pid in ((killed, _ended_process()), (living, os.getpid())):
        with run.recording():
            pass
        run.update(status="running", pid=pid)
    with held(living.lock):
        status = {entry.name: entry.status for entry in list_runs(three_runs).entries}
    assert (status["killed"], status["living"]) == ("interrupted", "running")


def _ended_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_folders_of_others_are_no_runs(three_runs):
    (three_runs / "photos" / "cat").mkdir(parents=True)
    (three_runs / "notes.txt").write_text("mine")
    assert sorted(_names(three_runs)) == ["a", "b", "c"]


def test_odd_values_in_run_json_do_not_stop_the_list(three_runs):
    made_run(three_runs, "odd").update(
        metrics={"test": {"accuracy": "high", "log_loss": True}, "validation": 3},
        parameters="many",
        data={"source": 5, "counts": {"train": 3, "test": {"cat": "x"}}},
        started="yesterday",
    )
    for words in ([], ["--sort", "data"], ["--sort", "accuracy"], ["show", "odd"]):
        assert command("runs", *words, "--runs-folder", three_runs).exit_code == 0


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abtest"), inner, max_size=3)
    ),
    max_leaves=5,
)
_KEYS = ("status", "started", "metrics", "data", "seconds", "epochs", "parameters", "error", "pid")


@given(st.dictionaries(st.sampled_from(_KEYS), _JSON))
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_run_json_is_listed(tmp_path, values):
    runs = tmp_path / "runs"
    if not runs.exists():
        made_run(runs, "odd")
    sound = {"status": "finished", "started": "2026-01-01T00:00:00+00:00"}
    (runs / "odd" / "run.json").write_text(json.dumps({**sound, **values}))
    listed = list_runs(runs)
    assert [entry.name for entry in listed.entries] == ["odd"]
    for column in ("run", "minutes", "epochs", "images", "data", "started"):
        assert "odd" in sort_runs(listed, column).text()
    assert "odd" in run_details(runs / "odd").text()
    json.dumps(listed.as_dict())


def test_no_folder_and_no_runs_are_said(tmp_path):
    missing = command("runs", "--runs-folder", tmp_path / "none")
    assert (missing.exit_code, "is not a folder" in missing.stderr) == (2, True)
    assert "There is no run in" in command("runs", "--runs-folder", tmp_path).stdout


def test_show_has_the_metrics_of_every_split_and_the_files(trained_run):
    done = command("runs", "show", trained_run.folder, "--json")
    facts = json.loads(done.stdout)
    assert facts["metrics"] == trained_run.info()["metrics"]
    on_disk = sum(path.stat().st_size for path in trained_run.folder.rglob("*") if path.is_file())
    assert facts["bytes"] == on_disk == sum(facts["files"].values())
    assert facts["others"] == []
    text = command("runs", "show", trained_run.folder).stdout
    assert "macro_f1" in text
    assert "weights/" in text


def test_best_is_the_best_by_validation_and_names_those_that_are_as_good(three_runs):
    found = best_run(list_runs(three_runs))
    assert (found.run.name, found.value, found.equals) == ("a", 0.8, [])
    assert best_run(list_runs(three_runs), "log_loss").run.name == "c"
    made_run(three_runs, "d", accuracy=0.8)
    again = command("runs", "best", "--runs-folder", three_runs)
    assert again.stdout == f"{three_runs / 'd'}\n"
    assert "As good: a." in again.stderr


def test_best_refuses_to_compare_runs_on_different_images(three_runs):
    made_run(three_runs, "other", data="drawings", accuracy=0.99)
    done = command("runs", "best", "--runs-folder", three_runs)
    assert done.exit_code == 2
    assert "different images (drawings, photos)" in done.stderr
    chosen = command("runs", "best", "--data", "photos", "--runs-folder", three_runs)
    assert chosen.stdout == f"{three_runs / 'a'}\n"


def test_best_ignores_unfinished_and_damaged_runs(three_runs):
    made_run(three_runs, "hurt", accuracy=1.0).tflite.unlink()
    made_run(three_runs, "cut", accuracy=1.0).update(status="interrupted")
    assert best_run(list_runs(three_runs)).run.name == "a"
    with pytest.raises(UsageError, match=r"No finished run of cats in .* has the validation acc"):
        best_run(list_runs(three_runs), data="cats")


def test_sorting_keeps_the_newest_first_among_equals(three_runs):
    made_run(three_runs, "new", accuracy=0.7)
    names = [entry.name for entry in sort_runs(list_runs(three_runs), "accuracy").entries]
    assert names == ["a", "new", "b", "c"]


def test_listing_runs_imports_nothing_heavy(three_runs):
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = 'tensorflow keras matplotlib sklearn scipy numpy pydantic PIL'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    words = [sys.executable, "-c", code, "runs", "--runs-folder", str(three_runs)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_a_run_that_a_link_leads_to_is_listed_once(three_runs):
    (three_runs / "0-newest").symlink_to("c", target_is_directory=True)
    (three_runs / "elsewhere").symlink_to(made_run(three_runs.parent / "other", "d").folder)
    names = {entry.name for entry in list_runs(three_runs).entries}
    assert names == {"a", "b", "c", "elsewhere"}
