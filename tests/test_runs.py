"""Run folders: names, status, atomic files."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cnnkit.cli import main
from cnnkit.errors import UsageError
from cnnkit.files import atomic_write
from cnnkit.runs import (
    check_new_run,
    create_run,
    find_run,
    newest_run,
    note_unfinished,
    run_of_file,
    unfinished_runs,
)
from cnnkit.runtimes import lacking


def _finished(runs, name):
    run = create_run(name, runs)
    with run.recording():
        pass
    return run


def test_a_run_never_takes_the_folder_of_another(tmp_path):
    names = [create_run("digits", tmp_path).name for _ in range(3)]
    assert names == ["digits", "digits-2", "digits-3"]


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("", "run"),
        (".", "run"),
        ("..", "run"),
        ("a/b", "a-b"),
        ("exp:1", "exp-1"),
        ("a\nb", "a-b"),
        (os.fsdecode(b"caf\xe9"), "caf"),
        ("x" * 250, "x" * 40),
    ],
)
def test_a_name_that_cannot_be_a_folder_name_is_refused(tmp_path, name, better):
    with pytest.raises(UsageError, match=rf"the name of a folder.*for example {better}$"):
        create_run(name, tmp_path)


def test_a_place_where_no_run_can_be_created_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(UsageError, match=r"file is a file, not a folder.*--runs-folder"):
            check_new_run("a", folder)
    with pytest.raises(UsageError, match=r"name is not UTF-8.*--runs-folder"):
        check_new_run("a", tmp_path / os.fsdecode(b"caf\xe9"))
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may do everything
    with pytest.raises(UsageError, match=r"Nothing can be written into .*--runs-folder"):
        check_new_run("a", tmp_path / "new" / "runs")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--name", "exp:1"], "cannot be the name of a folder"),
        (["--name", ""], "cannot be the name of a folder"),
        (["--runs-folder", os.fsdecode(b"caf\xe9")], "name is not UTF-8"),
    ],
)
def test_a_run_that_cannot_be_created_is_refused_before_images_are_read(
    tiny_config, monkeypatch, options, words, more
):
    def read(*arguments):
        raise AssertionError("images are read")

    monkeypatch.setattr("cnnkit.training.plan.load_dataset", read)
    done = CliRunner().invoke(main, ["train", str(tiny_config), *options, *more])
    assert (done.exit_code, words in done.stderr) == (2, True)


def test_class_names_are_those_that_were_written_whatever_an_editor_added(tmp_path):
    run = create_run("a", tmp_path)
    for content in (b"cat\na\xe2\x80\xa8b\n", b"\xef\xbb\xbfcat\r\na\xe2\x80\xa8b\r\n"):
        run.classes.write_bytes(content)
        assert run.class_names() == ("cat", "a\u2028b")


def test_a_run_that_lacks_files_because_it_is_in_training_may_be_waited_for(tmp_path):
    run = create_run("a", tmp_path)
    with run.recording():
        assert "is running. Use another run, or wait until it ends." in str(
            lacking(run, [run.tflite])
        )


def test_the_newest_run_is_the_finished_one_that_began_last(tmp_path):
    _finished(tmp_path, "b")
    newest = _finished(tmp_path, "a")
    failed = create_run("c", tmp_path)
    with pytest.raises(ValueError, match="no"), failed.recording():
        raise ValueError("no")
    assert newest_run(tmp_path) == newest
    assert failed.info()["status"] == "failed"
    assert failed.info()["error"] == "no"


def test_ctrl_c_is_distinguished_from_a_failure(tmp_path):
    run = create_run("a", tmp_path)
    with pytest.raises(KeyboardInterrupt), run.recording():
        assert run.info()["status"] == "running"
        raise KeyboardInterrupt
    assert run.info()["status"] == "interrupted"


def test_a_running_run_whose_process_is_gone_counts_as_interrupted(tmp_path):
    child = (
        "import os, signal, sys, pathlib; from cnnkit.runs import create_run;"
        "run = create_run('a', pathlib.Path(sys.argv[1]));"
        "context = run.recording(); context.__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", child, str(tmp_path)], check=False)
    assert json.loads((tmp_path / "a" / "run.json").read_text())["status"] == "running"
    assert find_run(tmp_path / "a", tmp_path).info()["status"] == "interrupted"


@pytest.mark.parametrize(
    ("facts", "rows", "sentence"),
    [
        ({}, 2, None),
        ({"status": "interrupted"}, 2,
         "RUN is not finished: its training was interrupted after epoch 2. To continue it: "
         "cnnkit train --resume RUN"),
        ({"status": "failed"}, 0,
         "RUN is not finished: its training failed. To continue it: cnnkit train --resume RUN"),
        ({"status": "running"}, 1,
         "RUN is still being trained: these are its best weights so far."),
        ({"status": "??"}, 1, None),
    ],
)  # fmt: skip
def test_what_is_said_of_a_run_that_is_not_finished(tmp_path, facts, rows, sentence):
    run = _finished(tmp_path, "a")
    run.update(**facts)
    run.history.write_text("epoch\n" + "1\n" * rows)
    notes = []
    status = note_unfinished(run, notes.append)
    assert status == {"??": "unknown"}.get(facts.get("status"), facts.get("status", "finished"))
    assert notes == ([sentence.replace("RUN", str(run.folder))] if sentence else [])


def test_a_run_is_found_by_folder_and_by_name_and_a_typo_gets_a_hint(tmp_path):
    run = _finished(tmp_path, "lenet")
    assert find_run(str(run.folder), tmp_path) == run
    assert find_run("lenet", tmp_path) == run
    with pytest.raises(UsageError, match=r"lenett is not a run folder .* Did you mean lenet\?"):
        find_run("lenett", tmp_path)
    (tmp_path / "squeeze-5fold").mkdir()
    (tmp_path / "squeeze-5fold" / "folds.json").write_text("{}")
    with pytest.raises(UsageError, match=r"mean squeeze-5fold\? Runs in .*: lenet, squeeze-5fold"):
        find_run("squeeze-4fold", tmp_path)
    with pytest.raises(UsageError, match=r"no run in .*/ either\. Train one"):
        find_run("lenet", tmp_path / "elsewhere")


def test_without_any_finished_run_the_message_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"Train one \(cnnkit train config.yaml\)"):
        newest_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is damaged: it is empty"),
        ('{"status": "fin', "is damaged: Unterminated string"),
        ("[]", "is damaged: it is not a JSON object"),
        ("[" * 100_000, "is damaged: "),
        ('{"status": "finished"}', "is damaged: it has no 'started'"),
        ('{"status": "finished", "started": 7}', "is damaged: its 'started' is 7"),
        ('{"status": "done", "started": ""}', "is damaged: its 'status' is 'done', not one of"),
        ('{"status": "running", "started": "", "pid": "x"}', "is damaged: its 'pid' is 'x'"),
        (None, "cannot be read: "),  # a folder with that name
    ],
)
def test_a_run_json_that_cannot_be_used_is_skipped_with_its_reason(tmp_path, content, reason):
    good = _finished(tmp_path, "good")
    (tmp_path / "bad").mkdir()
    if content is None:
        (tmp_path / "bad" / "run.json").mkdir()
    else:
        (tmp_path / "bad" / "run.json").write_text(content)
    for find in (newest_run, unfinished_runs):
        notes = []
        assert find(tmp_path, notes.append) == (good if find is newest_run else [])
        assert len(notes) == 1
        assert notes[0].startswith(f"Skipped {tmp_path / 'bad'}: its run.json {reason}")


def test_a_run_json_that_is_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "run.json")
    good, notes = _finished(tmp_path, "good"), []
    assert newest_run(tmp_path, notes.append) == good
    assert "it is a pipe, not a file" in notes[0]


@pytest.mark.parametrize(
    "words", [["predict", "a.png"], ["evaluate"], ["export"], ["features", "a.png"], ["filters"]]
)
def test_commands_that_name_no_run_report_what_they_skip(tmp_path, words):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "run.json").write_text("")
    done = CliRunner().invoke(main, [*words, "--runs-folder", str(tmp_path)])
    assert done.exit_code == 2
    skipped, error = done.stderr.splitlines()
    assert skipped == f"Skipped {tmp_path / 'bad'}: its run.json is damaged: it is empty."
    assert error.startswith(f"There is no finished run in {tmp_path}/.")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_run_of_a_file_inside_it_is_found(tmp_path):
    run = _finished(tmp_path, "a")
    assert run_of_file(run.export / "model.onnx").folder == run.folder.resolve()
    with pytest.raises(UsageError, match="is not in a run folder"):
        run_of_file(tmp_path / "model.onnx")


def test_a_link_is_followed_and_a_pipe_is_written_to_not_replaced(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with atomic_write(tmp_path / "link.txt") as file:
        file.write("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe").symlink_to("pipe")
    for name in ("pipe", "to_pipe"):
        reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
        with atomic_write(tmp_path / name) as file:
            file.write("through")
        assert reader.communicate()[0] == b"through"
    assert (tmp_path / "pipe").is_fifo()
