"""Folders of the cache while other processes make them, look at them and remove them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner

from cnnkit.cli import main
from cnnkit.data.cache.folder import is_being_made
from cnnkit.locks import held, is_held

_NEEDS_LOCKS = pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked there")


@_NEEDS_LOCKS
def test_a_folder_is_held_although_another_process_looks_just_then(tmp_path):
    import fcntl

    looking = os.open(tmp_path, os.O_RDONLY)  # what `is_held` does for a moment
    fcntl.flock(looking, fcntl.LOCK_EX)
    looked = threading.Timer(0.3, os.close, [looking])
    looked.start()
    with held(tmp_path):
        looked.join()
        assert is_held(tmp_path)
    assert is_held(tmp_path) is False


def test_what_a_maker_writes_deep_inside_counts_where_locks_do_not_work(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnkit.data.cache.folder.is_held", lambda folder: None)
    inside = tmp_path / "images" / "cat"
    inside.mkdir(parents=True)
    (inside / "0.png").touch()
    an_hour_ago = time.time() - 3600
    for path in (inside / "0.png", inside, inside.parent, tmp_path):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert not is_being_made(tmp_path)
    os.utime(inside / "0.png")
    assert is_being_made(tmp_path)


def test_a_folder_that_is_gone_is_not_being_made(tmp_path):
    assert not is_being_made(tmp_path / "gone")


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
def test_a_cache_in_the_home_of_nobody_is_an_error(monkeypatch, words):
    monkeypatch.setenv("CNNKIT_CACHE", "~nosuchuser/x")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "CNNKIT_CACHE=~nosuchuser/x: there is no such home folder. Set" in done.stderr
