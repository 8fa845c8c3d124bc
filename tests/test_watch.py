"""`cnnkit watch`: each whole file once, also after it was killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from predict_command import image_folder

import cnnkit
from cnnkit.cli import main
from cnnkit.prediction import Prediction
from cnnkit.prediction.watched_folder import WatchedFolder, copy_sorted


@pytest.fixture
def images(trained_run):
    return sorted(Path(image_folder(trained_run)).rglob("*.png"))


def rows_of(output):
    return [json.loads(line) for line in output.read_text().splitlines()]


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def once(trained_run, folder, output, *words):
    command = [
        "watch",
        str(folder),
        "-o",
        str(output),
        "--model",
        str(trained_run.folder),
        "--once",
    ]
    result = CliRunner().invoke(main, [*command, *map(str, words)])
    return result.exit_code, result.output


def test_files_are_answered_once_also_after_a_kill(trained_run, images, tmp_path):
    folder, output = tmp_path / "incoming", tmp_path / "new folder" / "answers.jsonl"
    folder.mkdir()
    shutil.copy(images[0], folder / "first.png")
    command = [sys.executable, "-m", "cnnkit", "watch", str(folder), "-o", str(output)]
    command += ["--model", str(trained_run.folder), "--quiet-seconds", "0.5"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    wait_for(lambda: output.exists() and len(rows_of(output)) == 1)
    shutil.copy(images[1], folder / "second.png")
    wait_for(lambda: len(rows_of(output)) == 2)
    process.kill()
    process.communicate()

    with output.open("a") as file:
        file.write('{"path": "half a li')
    shutil.copy(images[2], folder / "third.png")
    (folder / "broken.png").write_bytes(b"no image")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(output.read_text().splitlines()) == 4)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "2 images answered." in errors

    rows = {Path(row["path"]).name: row for row in rows_of(output)}
    assert set(rows) == {"first.png", "second.png", "third.png", "broken.png"}
    model = cnnkit.load_run(trained_run.folder)
    for name in ("first.png", "second.png", "third.png"):
        assert rows[name]["prediction"] == model.predict([folder / name])[0].answer
    assert "error" in rows["broken.png"]


def test_a_file_that_grows_is_not_whole(tmp_path):
    now = 100.0
    watched = WatchedFolder(str(tmp_path), set(), quiet_seconds=2, clock=lambda: now)
    image = tmp_path / "1.png"
    for length in range(1, 6):
        image.write_bytes(b"x" * length)
        assert list(watched.new()) == []
        now += 1.5  # it changes more often than every two seconds
    assert list(watched.new()) == []
    now += 0.6
    assert [path for path, *_ in watched.new()] == [str(image)]
    now += 10
    assert list(watched.new()) == []


def test_a_changed_file_is_answered_again_and_copies_replace_nothing(trained_run, images, tmp_path):
    folder, output, target = (tmp_path / name for name in ("incoming", "a.jsonl", "sorted"))
    folder.mkdir()
    shutil.copy(images[0], folder / "1.png")
    assert once(trained_run, folder, output, "--sort-into", target)[0] == 0
    assert "0 images answered" in once(trained_run, folder, output, "--sort-into", target)[1]
    (folder / "1.png").write_bytes(images[0].read_bytes() + b"changed")
    assert "1 image answered" in once(trained_run, folder, output, "--sort-into", target)[1]
    answer = rows_of(output)[0]["prediction"]
    copies = sorted(path.relative_to(target) for path in target.rglob("*.png"))
    assert copies == [Path(answer) / "1-2.png", Path(answer) / "1.png"]
    assert (target / copies[1]).read_bytes() == images[0].read_bytes()


@pytest.mark.parametrize(("name", "place"), [("a/b", "a_b"), ("..", "_"), ("../../x", "____x")])
def test_a_copy_never_leaves_its_folder(images, tmp_path, name, place):
    answer = Prediction(str(images[0]), (name, "b"), np.array([0.75, 0.25]))
    copy_sorted(answer, tmp_path / "sorted")
    assert (tmp_path / "sorted" / place / images[0].name).is_file()
    assert len(list(tmp_path.rglob("*.png"))) == 1


def test_an_image_that_was_moved_away_leaves_no_copy(tmp_path):
    answer = Prediction(str(tmp_path / "gone.png"), ("a", "b"), np.array([0.75, 0.25]))
    copy_sorted(answer, tmp_path / "sorted")
    assert not list(tmp_path.rglob("*.png"))


def test_places_that_would_feed_on_themselves_and_foreign_files_are_refused(
    trained_run, images, tmp_path
):
    folder = tmp_path / "incoming"
    folder.mkdir()
    code, text = once(trained_run, folder, folder / "answers.jsonl")
    assert code == 2 and "inside the watched folder" in text
    code, text = once(trained_run, folder, tmp_path / "a.jsonl", "--sort-into", folder / "sorted")
    assert code == 2 and "--sort-into" in text
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"mine": 1}\n')
    code, text = once(trained_run, folder, notes)
    assert code == 2 and "line 1" in text and notes.read_text() == '{"mine": 1}\n'
    notes.write_text('{"mine": 1}')  # not a line of ours that was cut off
    code, text = once(trained_run, folder, notes)
    assert code == 2 and "line 1" in text and notes.read_text() == '{"mine": 1}'
    assert once(trained_run, folder, tmp_path / "a.csv")[0] == 2


def test_files_that_cannot_be_read_are_named_once(trained_run, images, tmp_path):
    incoming = tmp_path / "in"
    incoming.mkdir()
    (incoming / "song.flac").write_bytes(b"fLaC" + bytes(50))
    shutil.copy(images[0], incoming / "a.png")
    _, printed = once(trained_run, incoming, tmp_path / "answers.jsonl")
    assert "Ignored: 1 sound of another format than WAV" in printed
    watched = WatchedFolder(str(incoming), set(), 0)
    assert len(list(watched.new())) == 1 and "song.flac" in watched.notes()[0]
    assert list(watched.new()) == [] and watched.notes() == []
    (incoming / "page.pdf").write_bytes(b"%PDF-1.7")
    assert list(watched.new()) == [] and len(watched.notes()) == 1
