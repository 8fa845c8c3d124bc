"""Standard streams that are closed, full, without a reader, or in a small encoding."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_tiny_images

import cnnkit
from cnnkit.streams import json_text

_CNNKIT = [sys.executable, "-m", "cnnkit"]
_FRUIT = ("Łódź", "苹果")


@pytest.fixture(scope="module")
def fruit(made_once):
    """Return a folder of two classes whose names few encodings have."""

    def fill(folder):
        images = write_tiny_images(folder / "images", images_per_class=3)
        for old, new in zip(("blue", "green"), _FRUIT, strict=True):
            (images / old).rename(images / new)
            (images / new).rename(folder / new)
        shutil.rmtree(images)

    return made_once("fruit", fill)


def _shell(redirections, *words, **options):
    """Run cnnkit with redirections of a shell, such as 2>&-."""
    command = ["bash", "-c", f'exec "$@" {redirections}', "bash", *_CNNKIT, *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False, **options)


@pytest.mark.parametrize(
    ("redirections", "stdout"),
    [
        ("2>&-", "names"),
        ("2>/dev/full", "names"),
        (">&-", ""),
        ("<&- >&- 2>&-", ""),
    ],
)
def test_a_command_does_its_work_with_closed_or_full_streams(fruit, redirections, stdout):
    done = _shell(redirections, "data", "stats", fruit)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (_FRUIT[0].encode() in done.stdout) == bool(stdout)


def test_a_data_file_never_gets_the_number_of_a_closed_stream(fruit, tmp_path):
    # What a C library writes to descriptor 2 would go into the first file that is opened.
    done = _shell(">&- 2>&-", "data", "split", fruit, "-o", tmp_path / "split.csv")
    assert done.returncode == 0
    assert (tmp_path / "split.csv").read_text().startswith("path,label,split")


def test_a_full_disk_under_stdout_is_reported(fruit):
    done = _shell(">/dev/full", "data", "stats", fruit, "--json")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == "standard output: No space left on device"


def _gone(script, *, stdout=False, stderr=False):
    """Run a script that writes to pipes of which nobody reads the other end."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            [sys.executable, "-c", f"from cnnkit.streams import *\nguard_streams()\n{script}"],
            stdout=writer if stdout else subprocess.PIPE,
            stderr=writer if stderr else subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)


def test_what_nobody_reads_is_dropped():
    script = (
        "import sys, rich.console\n"
        "for _ in range(3): print('x' * 100_000, file=sys.stderr, flush=True)\n"
        "rich.console.Console(stderr=True).print('y')\n"
        "print('done')"
    )
    done = _gone(script, stderr=True)
    assert (done.returncode, done.stdout) == (0, b"done\n")
    script = (
        "import sys\n"
        "before = is_stdout_lost()\n"
        "print('x', flush=True)\n"
        "print(before, is_stdout_lost(), file=sys.stderr)"
    )
    done = _gone(script, stdout=True)
    assert (done.returncode, done.stderr) == (0, b"False True\n")


def test_a_full_pipe_that_does_not_block_is_waited_for():
    script = "import os, sys\nos.set_blocking(2, False)\nsys.stderr.write('x' * 500_000)"
    done = _gone(script)
    assert (done.returncode, len(done.stderr)) == (0, 500_000)


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("cp1252", b"\\u0141\xf3d\\u017a \\u82f9\\u679c b\xe9\n"),
        ("latin-1", b"\\u0141\xf3d\\u017a \\u82f9\\u679c b\xe9\n"),
        ("gbk", b"\\u0141\xa8\xaed\\u017a \xc6\xbb\xb9\xfb b\xe9\n"),
        ("ascii", b"\\u0141\\xf3d\\u017a \\u82f9\\u679c b\xe9\n"),
        ("utf-8", "Łódź 苹果 b".encode() + b"\xe9\n"),
    ],
)
def test_a_letter_that_the_encoding_lacks_is_escaped_and_bytes_stay(encoding, printed):
    script = (
        "import os\nfrom cnnkit.streams import guard_streams\nguard_streams()\n"
        "print('Łódź 苹果', os.fsdecode(b'b\\xe9'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.stdout == printed


def test_results_are_printed_in_an_encoding_that_lacks_the_class_names(fruit):
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = _shell("", "data", "stats", fruit, "--json", env=environment)
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout.decode("cp1252"))["counts"]["all"]) == list(_FRUIT)


@pytest.mark.parametrize(
    ("encoding", "value", "text"),
    [
        ("utf-8", "é", '"é"'),
        ("cp1252", "é", r'"\u00e9"'),
        ("utf-8", os.fsdecode(b"caf\xe9"), r'"caf\udce9"'),  # as bytes it would be no JSON
    ],
)
def test_json_is_valid_in_every_encoding(encoding, value, text):
    assert json_text(value, io.TextIOWrapper(io.BytesIO(), encoding)) == text
    assert json.loads(text) == value


def test_a_training_outlives_the_readers_of_its_streams(tiny_config, tmp_path):
    reader, writer = os.pipe()
    command = [*_CNNKIT, "train", str(tiny_config), "--epochs", "2", "--runs-folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=writer, stderr=writer) as process:
        os.close(writer)
        os.read(reader, 1)  # as `2>&1 | head -1` does
        os.close(reader)
        assert process.wait() == 0
    info = json.loads((tmp_path / "tiny" / "run.json").read_text())
    assert (info["status"], info["epochs"]) == ("finished", 2)
    assert (tmp_path / "tiny" / "model.tflite").exists()


def test_predict_ends_when_nobody_reads_its_answers(trained_run):
    # The list of paths does not end, so only a reader that is gone can end the command.
    folder = cnnkit.load_config(trained_run.config).data.source
    image = next(Path(folder).glob("red/*.png"))
    script = (
        f"yes {image} | {sys.executable} -m cnnkit predict - --model {trained_run.folder} | head -2"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=120, check=True)
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == b""
