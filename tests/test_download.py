"""Downloads, from a server on this machine: resumed, verified, and clear when they fail."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from web import Web, serve

from cnnkit.data.sources import download
from cnnkit.data.sources.download import RemoteFile, fetch
from cnnkit.errors import DataError

_CONTENT = np.random.default_rng(0).bytes(1_000_000)


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "_PAUSES_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def web():
    with serve(Web(_CONTENT)) as running:
        yield running


def _file(web, *, content=_CONTENT, path="/set.tgz", name="set.tgz", keras_names=()):
    digest = hashlib.sha256(content).hexdigest()
    return RemoteFile(web.url + path, len(content), digest, name, keras_names)


def _names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_is_downloaded_once_with_progress(web, tmp_path):
    told, notes = [], []
    path = fetch(_file(web), tmp_path, lambda done, total: told.append((done, total)), notes.append)
    assert path == tmp_path / "set.tgz"
    assert path.read_bytes() == _CONTENT
    assert told[-1] == (len(_CONTENT), len(_CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert notes == [f"Downloading {web.url}/set.tgz (1,000,000 bytes) to {path}."]
    assert fetch(_file(web), tmp_path) == path
    assert web.asked == [None]


def test_a_name_may_have_a_folder_of_its_own(web, tmp_path):
    assert fetch(_file(web, name="inner/set.tgz"), tmp_path) == tmp_path / "inner" / "set.tgz"


def test_a_redirect_is_followed(web, tmp_path):
    web.redirect["/old"] = f"{web.url}/new"
    assert fetch(_file(web, path="/old"), tmp_path).read_bytes() == _CONTENT


def test_a_broken_connection_continues_where_it_stopped(web, tmp_path):
    web.cut_after = [300_000, 0, 0, 200_000, 0, 0]  # more than three attempts, but not in vain
    notes = []
    assert fetch(_file(web), tmp_path, note=notes.append).read_bytes() == _CONTENT
    assert web.asked == [None, *["bytes=300000-"] * 3, *["bytes=500000-"] * 3]
    assert web.sent == len(_CONTENT)
    assert notes[1] == (
        "set.tgz: the connection ended after 300,000 of 1,000,000 bytes; trying again."
    )


def test_what_was_received_before_a_failure_is_kept_for_the_next_run(web, tmp_path):
    web.cut_after = [300_000, 0, 0, 0]
    with pytest.raises(DataError, match="The 300,000 bytes received so far are kept") as caught:
        fetch(_file(web), tmp_path)
    assert "ended after 300,000 of 1,000,000 bytes" in str(caught.value)
    notes = []
    fetch(_file(web), tmp_path, note=notes.append)
    assert web.sent == len(_CONTENT)
    assert "of which 300,000 are there already" in notes[0]
    assert _names(tmp_path) == ["set.tgz"]


def test_a_server_without_ranges_sends_everything_again(web, tmp_path):
    web.cut_after, web.ranges = [300_000], False
    assert fetch(_file(web), tmp_path).read_bytes() == _CONTENT
    assert web.sent == 1_300_000


def test_the_length_of_the_answer_is_optional(web, tmp_path):
    web.length, web.cut_after = False, [300_000]
    assert fetch(_file(web), tmp_path).read_bytes() == _CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_refusal_is_tried_again(web, tmp_path, status):
    web.statuses = [status, status]
    assert fetch(_file(web), tmp_path).read_bytes() == _CONTENT


@pytest.mark.parametrize(("status", "reason"), [(403, "403 Forbidden"), (404, "404 Not Found")])
def test_a_lasting_refusal_says_where_to_put_the_file_by_hand(web, tmp_path, status, reason):
    web.statuses = [status]
    file = _file(web)
    with pytest.raises(DataError) as caught:
        fetch(file, tmp_path)
    assert str(caught.value) == (
        f"{web.url}/set.tgz could not be downloaded: the server answered {reason}.\n"
        "To put the file there by hand, download it on another machine, save it as\n"
        f"  {tmp_path / 'set.tgz'}\n"
        f"(1,000,000 bytes, sha256 {file.sha256}) and run the command again."
    )
    assert len(web.asked) == 1


def test_an_unreachable_server_is_named(tmp_path):
    file = RemoteFile("http://127.0.0.1:1/set.tgz", 10, "0" * 64, "set.tgz")
    with pytest.raises(DataError, match="could not be downloaded: Connection refused"):
        fetch(file, tmp_path)


def test_an_unknown_server_name_is_not_tried_again(tmp_path):
    file = RemoteFile("http://no-such-server.invalid/set.tgz", 10, "0" * 64, "set.tgz")
    notes = []
    with pytest.raises(DataError, match="name cannot be looked up .is there a network"):
        fetch(file, tmp_path, note=notes.append)
    assert len(notes) == 1


def test_a_silent_server_is_given_up(web, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT_SECONDS", 0.05)
    web.content, web.slow = b"x", 0.3  # before its only byte
    with pytest.raises(DataError, match="the server sent nothing for 0.05 seconds"):
        fetch(_file(web, content=b"x"), tmp_path)
    assert len(web.asked) == 4


def test_a_page_instead_of_the_file_is_refused_before_it_is_written(web, tmp_path):
    file = _file(web)
    web.content = b"<html>Please log in</html>"
    with pytest.raises(DataError, match="the server sends 26 bytes instead of 1000000"):
        fetch(file, tmp_path)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("received", [bytes(len(_CONTENT)), _CONTENT + b"more"])
def test_other_content_is_refused_with_both_hashes_and_removed(web, tmp_path, received):
    file = _file(web)
    web.content, web.length = received, False
    with pytest.raises(DataError) as caught:
        fetch(file, tmp_path)
    digest = hashlib.sha256(received).hexdigest()
    assert (
        f"the received file has {len(received):,} bytes, sha256 {digest}, so it was removed.\n"
        in str(caught.value)
    )
    assert f"(1,000,000 bytes, sha256 {file.sha256})" in str(caught.value)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("left", [b"x" * 500_000, b"x" * 1_000_000, b"x" * 2_000_000])
def test_a_damaged_part_of_an_earlier_run_is_replaced(web, tmp_path, left):
    (tmp_path / "set.tgz.part").write_bytes(left)
    assert fetch(_file(web), tmp_path).read_bytes() == _CONTENT


def test_a_file_put_there_by_hand_is_used_without_a_server(tmp_path):
    (tmp_path / "set.tgz").write_bytes(b"content")
    file = RemoteFile("http://127.0.0.1:1/", 7, hashlib.sha256(b"content").hexdigest(), "set.tgz")
    assert fetch(file, tmp_path) == tmp_path / "set.tgz"


def test_a_wrong_file_put_there_by_hand_is_an_error_and_stays(web, tmp_path):
    (tmp_path / "set.tgz").write_bytes(b"half")
    with pytest.raises(DataError) as caught:
        fetch(_file(web), tmp_path)
    expected, found = (hashlib.sha256(content).hexdigest() for content in (_CONTENT, b"half"))
    assert str(caught.value) == (
        f"{tmp_path / 'set.tgz'} is not the file that was published: it has 4 bytes, sha256 "
        f"{found}. Expected 1,000,000 bytes, sha256 {expected}. Remove it, or put the file of "
        f"{web.url}/set.tgz in its place; then run the command again."
    )
    assert (tmp_path / "set.tgz").read_bytes() == b"half"
    assert web.asked == []


def test_the_file_that_keras_downloaded_is_used_and_a_wrong_one_is_ignored(web, tmp_path):
    keras = tmp_path / "keras" / "datasets"
    keras.mkdir(parents=True)
    (keras / "set.tgz").write_bytes(b"other")
    (keras / "set_archive").write_bytes(_CONTENT)
    notes = []
    file = _file(web, keras_names=("set_archive",))
    assert fetch(file, tmp_path / "ours", note=notes.append) == keras / "set_archive"
    assert notes[0].startswith(f"Ignored: {keras / 'set.tgz'} is not the file that was published")
    assert web.asked == []


def test_threads_that_need_the_same_file_download_it_once(web, tmp_path):
    web.slow = 0.3
    notes, file = [], _file(web)
    others = [
        threading.Thread(target=fetch, args=(file, tmp_path, None, notes.append)) for _ in range(3)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert (tmp_path / "set.tgz").read_bytes() == _CONTENT
    assert web.sent == len(_CONTENT)
    assert sum("Another process is downloading" in note for note in notes) == 2


def test_a_killed_download_is_resumed(web, tmp_path):
    web.slow = 30  # between the halves
    file = _file(web)
    code = (
        "import sys; from pathlib import Path; from cnnkit.data.sources.download import *\n"
        "fetch(RemoteFile(sys.argv[1], int(sys.argv[2]), sys.argv[3], 'set.tgz'), "
        "Path(sys.argv[4]), lambda done, total: print(done, flush=True))"
    )
    arguments = [file.url, str(file.size), file.sha256, str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        while int(process.stdout.readline()) < 400_000:
            pass
        process.kill()
    web.slow = 0
    kept = (tmp_path / "set.tgz.part").stat().st_size
    assert 0 < kept <= 500_000
    assert fetch(file, tmp_path).read_bytes() == _CONTENT
    assert web.asked[-1] == f"bytes={kept}-"


def test_a_full_disk_is_named(web, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "set.tgz.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"cannot be written: No space left.*CNNKIT_CACHE"):
        fetch(_file(web), tmp_path)


def test_a_file_larger_than_the_disk_is_not_begun(web, tmp_path):
    file = RemoteFile(f"{web.url}/set.tgz", 10**18, "0" * 64, "set.tgz")
    with pytest.raises(DataError, match="it needs 1,000,000,000,000,000,000 bytes and .* has room"):
        fetch(file, tmp_path)
    assert web.asked == []


def test_a_folder_that_cannot_be_written_is_named(web, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written: .*Set the environment variable CNNKIT"):
        fetch(_file(web), tmp_path / "file")


def test_the_lock_of_a_killed_process_has_no_effect(web, tmp_path):
    (tmp_path / ".set.tgz.lock").write_text("")
    begin = time.monotonic()
    assert fetch(_file(web), tmp_path).is_file()
    assert time.monotonic() - begin < 30
    assert os.listdir(tmp_path).count(".set.tgz.lock") == 1
