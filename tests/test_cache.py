"""`cnnkit cache`: what is listed and cleared, and what is never touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from caches import listed, run
from images import data_config, write_classes

from cnnkit.config import ShapesConfig
from cnnkit.data.cache.folder import cache_folder, folder_made_whole, lock_of
from cnnkit.data.cache_entries import KINDS
from cnnkit.data.dataset import load_dataset
from cnnkit.data.sources.builtin import builtin_folder
from cnnkit.data.sources.download import lock_of_download
from cnnkit.errors import DataError
from cnnkit.locks import held, only_one_process


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a cache with pixels of two sizes and a built-in; tests must not change it."""
    folder = tmp_path_factory.mktemp("made")
    photos = write_classes(folder / "photos", {"cat": 5, "owl": 5})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNKIT_CACHE", str(folder / "cache"))
        for size in (8, 16):
            load_dataset(data_config(photos, image_size=(size, size)))
        builtin_folder("digits", ShapesConfig())
    for class_folder in (folder / "cache" / "builtin" / "digits-v1").glob("*/"):
        for image in sorted(class_folder.iterdir())[3:]:  # the copies are quicker without
            image.unlink()
    return folder / "cache"


@pytest.fixture
def filled(own_cache, made):
    """Return a copy of that cache, with a download and things of others too."""
    shutil.copytree(made, own_cache)
    (own_cache / "downloads").mkdir()
    (own_cache / "downloads" / "mnist.npz").write_bytes(bytes(1000))
    (own_cache / "downloads" / "mine.zip").touch()
    (own_cache / "pixels" / "mine").mkdir()
    (own_cache / "builtin" / "notes.txt").touch()
    (own_cache / "thesis").mkdir()
    return own_cache


def others(cache):
    """Return what cnnkit did not make."""
    return {cache / "downloads" / "mine.zip", cache / "pixels" / "mine", cache / "thesis",
            cache / "builtin" / "notes.txt"}  # fmt: skip


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("CNNKIT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "cnnkit"


def test_a_cache_folder_that_cannot_be_made_is_an_error_with_advice(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written.*CNNKIT_CACHE"):
        with folder_made_whole(tmp_path / "file" / "x"):
            pass


def test_a_folder_made_whole_appears_only_when_done(tmp_path):
    with pytest.raises(KeyError), folder_made_whole(tmp_path / "x") as temporary:
        (temporary / "a").touch()
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with folder_made_whole(tmp_path / "x") as temporary:
        assert not (tmp_path / "x").exists()
        (temporary / "a").touch()
    assert (tmp_path / "x" / "a").exists()
    with folder_made_whole(tmp_path / "x") as temporary:
        (temporary / "b").touch()
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["a"]  # the first one stays


def test_the_list_describes_each_entry(filled):
    document = listed()
    assert document["folder"] == str(filled)
    kinds = [(entry["kind"], entry["images"]) for entry in document["entries"]]
    assert kinds == [("pixels", 10), ("pixels", 10), ("builtin", 30), ("downloads", None)]
    newest, older, digits, download = document["entries"]
    assert newest["pixel_settings"]["image_size"] == [16, 16]
    assert older["pixel_settings"]["image_size"] == [8, 8]
    assert download["bytes"] == 1000
    for entry in (newest, older, digits):
        files = [path for path in filled.rglob(f"{entry['name']}/**/*") if path.is_file()]
        assert entry["bytes"] == sum(path.stat().st_size for path in files)
    assert document["bytes"] == sum(entry["bytes"] for entry in document["entries"])
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["kind", "images", "size", "what", "last", "used", "path"]
    assert "16 x 16 rgb, stretch, background 255" in lines[1]
    assert lines[1].endswith(newest["path"])
    assert lines[3].split()[:2] == ["builtin", "30"]
    assert lines[5].endswith(" in all")


def test_an_empty_cache_is_listed_and_cleared(own_cache):
    assert run("list").stdout == f"Nothing is kept in {own_cache}.\n"
    assert listed() == {"folder": str(own_cache), "bytes": 0, "entries": []}
    done = run("clear")
    assert (done.exit_code, done.stdout) == (0, "Removed 0 entries and freed 0 bytes.\n")
    assert not own_cache.exists()


def test_clear_removes_all_that_cnnkit_made_and_nothing_else(filled):
    total = listed()["bytes"]
    done = run("clear", "--yes", "--json")
    assert json.loads(done.stdout) == {"removed": 4, "bytes": total}
    assert listed()["entries"] == []
    left = {path for folder in (filled, *filled.iterdir()) for path in folder.iterdir()}
    assert left == others(filled) | {filled / "downloads", filled / "pixels", filled / "builtin"}


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        ("pixels", ["builtin", "downloads"]),
        ("builtin", ["pixels", "pixels", "downloads"]),
        ("downloads", ["pixels", "pixels", "builtin"]),
        ("digits", ["pixels", "pixels", "downloads"]),
    ],
)
def test_clear_removes_one_kind_or_one_entry(filled, what, kinds):
    assert run("clear", what, "--yes").exit_code == 0
    assert [entry["kind"] for entry in listed()["entries"]] == kinds
    assert all(path.exists() for path in others(filled))


def test_clear_takes_the_beginning_of_one_name(filled):
    name = listed()["entries"][0]["name"]
    done = run("clear", name[:12], "--yes")
    assert done.stdout.startswith("Removed 1 entry and freed ")
    assert name not in [entry["name"] for entry in listed()["entries"]]


def test_the_help_of_clear_names_every_kind():
    text = " ".join(run("clear", "--help").stdout.split())
    assert f"WHAT is all (the default), {', '.join(KINDS)}, or the beginning" in text


@pytest.mark.parametrize("what", ["thesis", "mine", "../x", "", "zz"])
def test_clear_refuses_what_it_did_not_make(filled, what):
    done = run("clear", what, "--yes")
    assert done.exit_code == 2
    assert f"begins with {what!r}" in done.stderr
    assert "Allowed: all, pixels, features, builtin, downloads" in done.stderr
    assert len(listed()["entries"]) == 4
    assert all(path.exists() for path in others(filled))


def test_clear_refuses_a_beginning_of_several_names(filled):
    first = filled / "pixels" / ("ab" + "0" * 30 + "-v2")
    for name in (first.name, "ab" + "1" * 30 + "-v2"):
        (filled / "pixels" / name).mkdir()
    done = run("clear", "ab", "--yes")
    assert done.exit_code == 2
    assert "ab is the beginning of 2 names" in done.stderr
    assert first.exists()


def test_clear_asks_and_a_script_has_to_say_yes(filled, monkeypatch):
    done = run("clear")
    assert done.exit_code == 2
    assert "Add --yes" in done.stderr
    assert len(listed()["entries"]) == 4
    monkeypatch.setattr(sys.modules["cnnkit.cli.command"], "_can_ask", lambda: True)
    for answer, left in (("n\n", 4), ("y\n", 0)):
        done = run("clear", input=answer)
        assert re.search(r"^builtin +30 ", done.stderr, re.M)
        assert "Remove all this? [y/N]" in done.stderr
        assert len(listed()["entries"]) == left
    assert "Removed 4 entries and freed " in done.stdout


def test_links_are_neither_listed_nor_followed(filled, tmp_path):
    outside = tmp_path / "outside" / ("c" * 32 + "-v2")
    outside.mkdir(parents=True)
    (outside / "index.bin").touch()
    (filled / "pixels" / outside.name).symlink_to(outside)
    linked = tmp_path / "linked"
    (filled / "downloads").rename(linked)
    (filled / "downloads").symlink_to(linked)
    (filled / "builtin" / "digits-v1" / "0" / "thesis").symlink_to(outside)
    assert run("clear", "--yes").stdout.startswith("Removed 3 entries ")
    assert (outside / "index.bin").exists()
    assert (linked / "mnist.npz").exists()
    assert not (filled / "builtin" / "digits-v1").exists()


def test_what_a_killed_process_left_is_removed_what_is_being_made_stays(filled):
    running, killed = filled / "pixels" / ".partial-a", filled / "builtin" / ".partial-b"
    for folder in (running, killed):
        folder.mkdir()
        (folder / "pixels.npy").write_bytes(bytes(500))
    unfinished = [e["unfinished"] for e in listed()["entries"]]
    assert sorted(unfinished) == [False] * 4 + [True] * 2
    with held(lock_of(running)):
        done = run("clear", "--yes")
    assert f"{running} was not removed: another process is writing it." in done.stderr
    assert done.exit_code == 1
    assert done.stdout.startswith("Removed 5 entries ")
    assert running.exists()
    assert not killed.exists()
    done = run("clear", "--yes")
    assert (done.exit_code, done.stdout[:15]) == (0, "Removed 1 entry")


def test_a_running_download_stays_and_a_killed_one_is_removed(filled):
    part = filled / "downloads" / "cifar-10-python.tar.gz.part"
    part.write_bytes(bytes(500))
    with only_one_process(lock_of_download(part.with_suffix("")), waiting=print):
        assert "another process is writing it" in run("clear", "downloads", "--yes").stderr
    assert part.exists()
    assert run("clear", "downloads", "--yes").stdout.startswith("Removed 1 entry ")
    assert not part.exists()


def test_locks_are_neither_listed_nor_counted(filled):
    before = listed()
    lock_of_download(filled / "downloads" / "mnist.npz").write_bytes(bytes(500))
    (filled / "builtin" / ".partial-0.lock").write_bytes(bytes(500))
    assert listed() == before


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_the_pack_of_an_ended_process_can_be_cleared_at_once(tmp_path, own_cache, name):
    photos = write_classes(tmp_path / "photos", {"cat": 150, "owl": 150})
    words = ["data", "pack", str(photos), "--set", "data.image_size=1500"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnkit", *words], stderr=subprocess.PIPE, text=True
    )
    # The lock file of the folder is there a moment before the folder.
    while not any(path.is_dir() for path in (own_cache / "pixels").glob(".partial-*")):
        assert process.poll() is None
        time.sleep(0.02)
    assert run("clear", "--yes").stderr.count("was not removed: another process") == 1
    process.send_signal(getattr(signal, name))
    _, said = process.communicate()
    left = [path for path in (own_cache / "pixels").glob(".partial-*") if path.is_dir()]
    assert len(left) == (name == "SIGKILL")
    assert process.returncode == (-signal.SIGKILL if name == "SIGKILL" else 130), said
    assert run("clear", "--yes").stdout.startswith(f"Removed {len(left)} ")
    assert not list((own_cache / "pixels").glob(".partial-*"))


def test_a_damaged_pack_can_be_listed_and_cleared(filled):
    pack = next(path for path in (filled / "pixels").iterdir() if path.name != "mine")
    (pack / "index.bin").write_bytes(b"{")
    images = [entry["images"] for entry in listed()["entries"]]
    assert sorted(map(str, images)) == ["10", "30", "None", "None"]
    assert run("clear", "pixels", "--yes").exit_code == 0
    assert not pack.exists()
