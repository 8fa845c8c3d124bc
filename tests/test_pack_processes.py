"""Several processes build a pack at once; killed ones leave none."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest
from packs import SETTINGS, expected, packs, pixels_of

from cnnkit.data.cache.pixels import open_pixels

BUILD = """
import sys
from pathlib import Path
import numpy as np
from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.pixels import PixelSettings, read_pixels
settings = PixelSettings((16, 16))
files = sorted(Path(sys.argv[1]).glob("*.png"), reverse=len(sys.argv) > 2)
def progress(done, total):
    print(done, flush=True)
    sys.stdin.readline()
store, hashes, _ = open_pixels(files, settings, cache="disk", progress=progress)
expected = np.stack([read_pixels(file, settings) for file in files])
assert np.array_equal(store.read(store.rows(hashes)), expected)
print("right")
"""


def build(files, *order):
    """Start a process that packs, and waits for a line after each batch."""
    command = [sys.executable, "-c", BUILD, str(files[0].parent), *order]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_processes_that_build_one_pack_at_once_both_continue(pack_files, pack_cache):
    processes = [build(pack_files), build(pack_files, "reverse"), build(pack_files)]
    for process in processes:  # all have begun before one goes on
        assert process.stdout.readline() == "1\n"
    assert sum(path.is_dir() for path in pack_cache.glob(".partial-*")) == 3
    ends = [process.communicate("\n" * 24) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert all(out.endswith("right\n") for out, _ in ends)
    assert len(packs(pack_cache)) == 1
    assert list(pack_cache.glob(".partial-*")) == []
    assert np.array_equal(pixels_of(pack_files), expected(pack_files))


def test_a_killed_process_leaves_no_pack(pack_files, pack_cache):
    process = build(pack_files)
    process.stdin.write("\n" * 12)
    process.stdin.flush()
    while process.stdout.readline() != "12\n":
        pass
    process.kill()
    process.communicate()
    assert packs(pack_cache) == []
    assert [path.is_dir() for path in sorted(pack_cache.glob(".partial-*"))] == [
        True,
        False,
    ]  # its lock
    assert np.array_equal(pixels_of(pack_files), expected(pack_files))
    assert list(pack_cache.glob(".partial-*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_process_removes_its_unfinished_pack(pack_files, pack_cache):
    process = build(pack_files)
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    process.stdin.write("\n" * 24)
    _, err = process.communicate()
    assert "KeyboardInterrupt" in err
    assert list(pack_cache.iterdir()) == []


def test_a_pack_that_is_removed_can_still_be_read(pack_files, pack_cache):
    store, hashes, _ = open_pixels(pack_files, SETTINGS, cache="disk")
    for path in packs(pack_cache)[0].iterdir():
        path.unlink()
    packs(pack_cache)[0].rmdir()
    assert np.array_equal(store.read(store.rows(hashes)), expected(pack_files))
