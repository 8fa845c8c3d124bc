"""`cnnkit runs rm|rename`: only what a run wrote is removed, and nothing of a run in training."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from images import write_image
from made_runs import made_run
from whole_command import contents_of as files_of
from whole_command import run as command

from cnnkit.errors import UsageError
from cnnkit.evaluation.scores import RESULT_FILES
from cnnkit.locks import held
from cnnkit.runs import Run, create_run
from cnnkit.runs.removal import rename_run
from cnnkit.runs.run_files import contents_of


@pytest.fixture
def used_run(trained_run, tmp_path):
    """Return a copy of a run that several commands have written to."""
    run = Run(tmp_path / "runs" / "tiny")
    shutil.copytree(trained_run.folder, run.folder)
    image = next(trained_run.folder.parent.parent.rglob("images/red/*.png"))
    for words in (
        ["evaluate", run.folder, "--split", "train"],
        ["export", run.folder],
        ["features", image, "--model", run.folder],
        ["filters", "--model", run.folder],
    ):
        done = command(*words)
        assert done.exit_code == 0, done.output
    return run


def test_removing_a_run_leaves_nothing_of_what_commands_wrote(used_run):
    done = command("runs", "rm", used_run.folder, "--yes", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["kept"] == []
    assert facts["removed"] == [str(used_run.folder)]
    assert not used_run.folder.exists()


def test_every_file_of_an_evaluation_is_known_as_written(tmp_path):
    folder = made_run(tmp_path, "a").evaluation("test")
    folder.mkdir(parents=True)
    names = {name for name in RESULT_FILES if not name.endswith((".png", ".svg"))}
    for name in names:  # pictures say themselves that cnnkit drew them
        (folder / name).write_text("x")
    assert contents_of(tmp_path / "a").others == []
    assert len(names) > 5


def test_files_of_others_are_kept_wherever_they_are(tmp_path):
    run = made_run(tmp_path, "mine")
    own = [
        run.folder / "notes.txt",
        run.folder / "evaluation" / "test" / "my.csv",
        run.folder / "evaluation" / "test" / "deeper" / "metrics.json",
        run.folder / "weights" / "mine.keras",
        run.folder / "cats" / "run.json",
        run.folder / "fold1" / "photo.txt",
    ]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    own.append(write_image(run.folder / "plots" / "curves.png"))
    own.append(write_image(run.folder / "evaluation" / "test" / "confusion_matrix.png"))
    empty = run.folder / "later"
    empty.mkdir()
    done = command("runs", "rm", "mine", "--runs-folder", tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert sorted(files_of(tmp_path)) == sorted(map(Path, own))
    assert empty.is_dir()
    assert "9 files were kept, because cnnkit did not write them" in done.stdout


def test_links_are_kept_and_not_followed(tmp_path):
    photos = tmp_path / "photos"
    write_image(photos / "a.png")
    run = made_run(tmp_path / "runs", "linked")
    os.symlink(photos, run.folder / "evaluation")
    run.best.unlink()
    os.symlink(photos / "a.png", run.best)
    before = files_of(photos)
    done = command("runs", "rm", run.folder, "--yes")
    assert done.exit_code == 0, done.output
    assert files_of(photos) == before
    assert run.best.is_symlink()
    assert not (run.folder / "run.json").exists()
    os.symlink(made_run(tmp_path / "runs", "real").folder, tmp_path / "runs" / "link")
    refused = command("runs", "rm", "link", "--runs-folder", tmp_path / "runs", "--yes")
    assert (refused.exit_code, "is a link to" in refused.stderr) == (2, True)


@pytest.mark.parametrize("name", ["photos", "notes.txt", "none", "..", "."])
def test_what_is_no_run_is_never_removed(tmp_path, name, monkeypatch):
    made_run(tmp_path, "a")
    write_image(tmp_path / "photos" / "cat" / "1.png")
    (tmp_path / "photos" / "config.yaml").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    before = files_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = command("runs", "rm", name, "--runs-folder", ".", "--yes")
    assert done.exit_code == 2
    assert "is not a run" in done.stderr
    assert files_of(tmp_path) == before


def test_a_misspelt_run_among_several_removes_none_of_them(tmp_path):
    made_run(tmp_path, "photos")
    done = command("runs", "rm", "photos", "photoz", "--runs-folder", tmp_path, "--yes")
    assert done.exit_code == 2
    assert "Did you mean photos?" in done.stderr
    assert (tmp_path / "photos" / "run.json").exists()


def test_without_a_terminal_the_question_needs_yes_and_no_removes_nothing(tmp_path, monkeypatch):
    made_run(tmp_path, "a")
    before = files_of(tmp_path)
    done = command("runs", "rm", "a", "--runs-folder", tmp_path)
    assert (done.exit_code, "Add --yes" in done.stderr) == (2, True)
    monkeypatch.setattr(sys.modules["cnnkit.cli.command"], "_can_ask", lambda: True)
    assert command("runs", "rm", "a", "--runs-folder", tmp_path).exit_code == 1
    assert files_of(tmp_path) == before


def test_a_run_in_training_is_neither_removed_nor_renamed(tmp_path):
    run = made_run(tmp_path, "a")
    run.update(status="running", pid=os.getpid())
    before = files_of(tmp_path)
    with held(run.lock):
        for words in (["rm", run.folder, "--yes"], ["rename", run.folder, "b"]):
            done = command("runs", *words)
            assert (done.exit_code, "is being trained" in done.stderr) == (2, True)
    assert command("runs", "rm", run.folder, "--yes").exit_code == 2  # its process is alive
    assert files_of(tmp_path) == before


def test_damaged_and_half_written_runs_can_be_removed(tmp_path):
    damaged = made_run(tmp_path, "damaged")
    (damaged.folder / "run.json").write_text("{")
    create_run("half", tmp_path)
    killed = made_run(tmp_path, "killed")  # while it wrote files
    for name in (".run.json.ab12cd3_", "weights/.best.keras.abcdefgh"):
        (killed.folder / name).write_text("x")
    (killed.folder / "weights" / ".new-abcd1234").mkdir()
    (killed.folder / "weights" / ".new-abcd1234" / "last.keras").write_text("x")
    done = command("runs", "rm", "damaged", "half", "killed", "--runs-folder", tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert "Removed 3 runs" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_run_gets_another_name(tmp_path):
    run = made_run(tmp_path, "a")
    before = {path.name: content for path, content in files_of(run.folder).items()}
    done = command("runs", "rename", "a", "b", "--runs-folder", tmp_path, "--json")
    assert json.loads(done.stdout) == {"old": str(tmp_path / "a"), "new": str(tmp_path / "b")}
    assert {path.name: content for path, content in files_of(tmp_path / "b").items()} == before


def test_a_name_that_is_taken_or_impossible_is_refused(tmp_path):
    run = made_run(tmp_path, "a")
    (tmp_path / "empty").mkdir()  # os.rename would replace it
    with pytest.raises(UsageError, match=r"empty exists. Choose another name"):
        rename_run(run.folder, "empty")
    with pytest.raises(UsageError, match="cannot be the name of a folder"):
        rename_run(run.folder, "../b")
    assert (run.folder / "run.json").exists()


def test_the_size_counts_only_what_would_be_removed(tmp_path):
    run = made_run(tmp_path, "a")
    before = contents_of(run.folder)
    (run.folder / "notes.txt").write_text("x" * 1000)
    after = contents_of(run.folder)
    assert after.num_bytes == before.num_bytes
    assert after.others == [run.folder / "notes.txt"]
