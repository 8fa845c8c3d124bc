"""Images in file systems of fsspec: files, folders and globs; a store that speaks S3."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import fsspec
import numpy as np
import pytest
from free_ports import free_ports
from predict_command import image_folder, run_predict

import cnnkit
from cnnkit.data.sources.ignored import HIDDEN, NO_IMAGE, Ignored
from cnnkit.errors import ImageError
from cnnkit.prediction import stored_images
from cnnkit.prediction.image_sources import ImageSources
from cnnkit.prediction.stored_images import StoredImage


@pytest.fixture
def memory(trained_run):
    """Return the in-memory file system with images, and what is no image."""
    system = fsspec.filesystem("memory")
    folder = Path(image_folder(trained_run))
    for path in folder.rglob("*.png"):
        system.pipe_file(f"/photos/{path.relative_to(folder)}", path.read_bytes())
    system.pipe_file("/photos/notes.txt", b"words")
    system.pipe_file("/photos/.trash/1.png", b"hidden")
    yield system
    system.rm("/photos", recursive=True)


def names(patterns, ignored=None):
    return [str(image) for image in ImageSources().find(patterns, ignored or Ignored())]


def test_folders_globs_and_files_get_the_answers_of_the_files_on_disk(trained_run, memory):
    model = cnnkit.load_run(trained_run.folder)
    folder = image_folder(trained_run)
    expected = model.predict(folder)
    for pattern in ("memory://photos", "memory://photos/", f"file://{folder}"):
        found = model.predict(pattern)
        assert [each.path.rpartition("/")[2] for each in found] == [
            each.path.rpartition("/")[2] for each in expected
        ]
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(one.probabilities, other.probabilities)
    reds = [each.path for each in model.predict("memory://photos/red/*.png")]
    assert reds == names(["memory://photos/red"]) and len(reds) > 3
    assert reds[0] == "memory:///photos/red/0.png"
    assert names([reds[0], "memory://photos/red/[01].png"]) == [reds[0], *reds[:2]]


def test_what_is_left_out_is_told_and_what_is_missing_is_an_error(memory):
    ignored = Ignored()
    assert "memory:///photos/red/0.png" in names(["memory://photos"], ignored)
    reasons = {(path, reason) for path, reason in ignored.rows()}
    assert reasons == {("/photos/.trash/1.png", HIDDEN), ("/photos/notes.txt", NO_IMAGE)}
    for pattern, reason in [
        ("memory://photos/*.gif", "no file matches this pattern"),
        ("memory://nothing/", "the folder contains no images"),
        ("memory://photos/none.png", "there is no such file"),
        ("memory://photos/x.zip", "archives are read from disk only"),
        ("nonsense://photos/1.png", "Protocol not known: nonsense"),
        ("simplecache::http://127.0.0.1/1.png", "there is no such file"),  # no address: a path
        ("filecache://a::http://127.0.0.1/1.png", "addresses inside other addresses"),
    ]:
        [image] = ImageSources().find([pattern], Ignored())
        with pytest.raises(ImageError) as caught:
            cnnkit.prediction.pixels_of(image, _settings())
        assert reason in str(caught.value), pattern


def _settings():
    from cnnkit.data.pixels import PixelSettings

    return PixelSettings((8, 8))


def test_a_file_that_is_too_large_is_not_read(memory, monkeypatch):
    monkeypatch.setattr(stored_images, "MOST_BYTES", 10)
    with pytest.raises(ImageError, match="which no image file has"):
        StoredImage("memory://photos/red/0.png").read_bytes()


def test_lists_may_mix_paths_and_addresses(trained_run):
    path = f"{image_folder(trained_run)}/red/0.png"
    lines = f"{path}\nfile://{path}\nfile:///nowhere.png\n"
    done = run_predict("-", "--json", "--model", trained_run.folder, stdin=lines.encode())
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[0]["top"] == rows[1]["top"] and rows[1]["path"] == f"file://{path}"
    assert rows[2]["error"] == "there is no such file" and rows[2]["kind"] == "unreadable_file"


@pytest.mark.slow
def test_a_store_that_speaks_s3_gives_the_same_answers(trained_run, monkeypatch):
    pytest.importorskip("s3fs")
    program = shutil.which("moto_server")
    if program is None:
        pytest.skip("moto_server is the store: pip install 'moto[server,s3]', anywhere")
    [port] = free_ports(1)
    for name, value in [
        ("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}"),
        ("AWS_ACCESS_KEY_ID", "one"),
        ("AWS_SECRET_ACCESS_KEY", "two"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ]:
        monkeypatch.setenv(name, value)
    store = subprocess.Popen([program, "-p", str(port)], stderr=subprocess.PIPE)
    try:
        _wait_for(f"http://127.0.0.1:{port}")
        system = fsspec.filesystem("s3")
        system.mkdir("photos")
        folder = Path(image_folder(trained_run))
        for path in folder.rglob("*.png"):
            system.pipe_file(f"photos/2024/{path.relative_to(folder)}", path.read_bytes())
        words = ["--json", "--model", trained_run.folder]
        expected = run_predict(folder, *words).stdout.decode().replace(str(folder), "X")
        for pattern in ("s3://photos/2024/", "s3://photos/2024/*/*.png", "s3://photos/2024"):
            done = run_predict(pattern, *words)
            assert done.returncode == 0, done.stderr
            assert done.stdout.decode().replace("s3://photos/2024", "X") == expected
        row = json.loads(run_predict("s3://photos/none.png", *words).stdout)
        assert row["error"] == "there is no such file"
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
        assert "error" in json.loads(run_predict("s3://nobodys/none.png", *words).stdout)
    finally:
        store.send_signal(signal.SIGTERM)
        store.communicate()


def _wait_for(url):
    for _ in range(100):
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the store did not start")
