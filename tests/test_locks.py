"""Locks, and folders of the cache while other processes fill them, look at them or remove them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner
from filelock import FileLock

from cnnkit.cli import main
from cnnkit.data.cache.folder import folder_made_whole, is_being_made
from cnnkit.locks import held, is_held, only_one_process


def test_only_one_process_is_inside_and_the_other_says_that_it_waits(tmp_path):
    lock, order = tmp_path / ".lock", []

    def second():
        with only_one_process(lock, lambda: order.append("waiting")):
            order.append("second")

    with only_one_process(lock, lambda: order.append("never")):
        other = threading.Thread(target=second)
        other.start()
        while "waiting" not in order:
            time.sleep(0.01)
        order.append("first")
    other.join()
    assert order == ["waiting", "first", "second"]


def test_a_lock_is_held_while_the_block_runs_and_its_file_goes(tmp_path):
    lock = tmp_path / ".lock"
    assert is_held(lock) is False
    with held(lock):
        assert is_held(lock) is True
        with pytest.raises(TimeoutError), held(lock):
            pass
        assert is_held(lock) is True
    assert is_held(lock) is False
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_taken_although_another_process_looks_just_then(tmp_path):
    lock = tmp_path / ".lock"
    looking = FileLock(lock, thread_local=False)
    looking.acquire()  # what `is_held` does for a moment
    looked = threading.Timer(0.3, looking.release)
    looked.start()
    with held(lock):
        looked.join()
        assert is_held(lock)
    assert is_held(lock) is False


_HOLDER = """
import sys, time
from pathlib import Path
from cnnkit.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_process_frees_its_lock(tmp_path):
    lock = tmp_path / ".lock"
    words = [sys.executable, "-c", _HOLDER, str(lock)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_held(lock) is True
        with pytest.raises(TimeoutError), held(lock):
            pass
        holder.kill()
    assert lock.exists()
    assert is_held(lock) is False
    with held(lock):
        assert is_held(lock) is True
    assert not lock.exists()


def test_if_no_lock_can_be_made_nothing_is_held_and_nothing_is_known(tmp_path):
    with held(tmp_path):  # a folder cannot be a lock file
        assert is_held(tmp_path) is None
    assert tmp_path.is_dir()


def test_without_locks_recent_writes_deep_inside_count_as_being_made(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnkit.data.cache.folder.is_held", lambda lock: None)
    inside = tmp_path / "images" / "cat"
    inside.mkdir(parents=True)
    (inside / "0.png").touch()
    an_hour_ago = time.time() - 3600
    for path in (inside / "0.png", inside, inside.parent, tmp_path):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert not is_being_made(tmp_path)
    os.utime(inside / "0.png")
    assert is_being_made(tmp_path)


def test_a_folder_that_is_gone_is_not_being_made(tmp_path, monkeypatch):
    assert not is_being_made(tmp_path / "gone")
    monkeypatch.setattr("cnnkit.data.cache.folder.is_held", lambda lock: None)
    assert not is_being_made(tmp_path / "gone")


def test_the_lock_of_a_folder_that_is_filled_is_not_inside_it(tmp_path):
    with folder_made_whole(tmp_path / "done") as temporary:
        (temporary / "1.png").touch()
        assert is_being_made(temporary)
        with folder_made_whole(tmp_path / "other"):
            assert temporary.is_dir()  # not taken for what a killed process left
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["1.png", "done", "other"]


def test_what_killed_processes_left_is_removed_before_a_folder_is_filled(tmp_path):
    (tmp_path / ".partial-0").mkdir()
    (tmp_path / ".partial-0.lock").touch()
    (tmp_path / ".partial-1").mkdir()
    (tmp_path / ".partial-2.lock").touch()
    with folder_made_whole(tmp_path / "done"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


_WRITER = """
import shutil, sys
from pathlib import Path
pixels, downloads = Path(sys.argv[1]) / "pixels", Path(sys.argv[1]) / "downloads"
downloads.mkdir(parents=True)
for number in range(10**9):
    partial, pack = pixels / f".partial-{number}", pixels / f"{number:032x}-v2"
    (partial / "deep").mkdir(parents=True)
    for index in range(20):
        (partial / "deep" / f"{index}.bin").touch()
    (partial / "index.bin").touch()
    partial.rename(pack)
    shutil.rmtree(pack)
    part = downloads / "mnist.npz.part"
    part.touch()
    part.replace(downloads / "mnist.npz")
    (downloads / "mnist.npz").unlink()
    if number == 0:
        print("begun", flush=True)
"""


def test_the_cache_is_listed_while_another_process_writes_and_removes(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path))
    words = [sys.executable, "-c", _WRITER, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
        try:
            writer.stdout.readline()
            found = 0
            for _ in range(150):
                done = CliRunner().invoke(main, ["cache", "list", "--json"])
                assert done.exit_code == 0, done.output
                found += len(json.loads(done.stdout)["entries"])
            assert writer.poll() is None
        finally:
            writer.kill()
    assert found  # it was there now and then


@pytest.mark.parametrize("words", [["cache", "list"], ["cache", "clear", "--yes"]])
def test_a_cache_in_an_unknown_home_folder_is_an_error(monkeypatch, words):
    monkeypatch.setenv("CNNKIT_CACHE", "~nosuchuser/x")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "CNNKIT_CACHE=~nosuchuser/x: there is no such home folder. Set" in done.stderr
