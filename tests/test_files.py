"""Pipes and devices are written to, and errors name the file that was asked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from whole_command import run

from cnnkit.errors import UsageError
from cnnkit.files import atomic_write, write_text
from cnnkit.output_guard import (
    PICTURE,
    check_output,
)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_with_any_name_is_written_to(tmp_path):
    pipe = tmp_path / "list.txt"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_output(pipe, "--out", PICTURE, overwrite=False)  # it exists, and it is no .png
        write_text(pipe, "what was written")
        assert os.read(reader, 100) == b"what was written"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]
    pipe.unlink()
    pipe.write_text("a file of the same name")
    with pytest.raises(UsageError, match="the name must end in"):
        check_output(pipe, "--out", PICTURE, overwrite=False)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs /dev/null")
def test_a_device_is_written_to_and_stays_one():
    device = Path("/dev/null")
    check_output(device, "--out", PICTURE, overwrite=False)
    write_text(device, "x")
    assert device.is_char_device() and device.read_bytes() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["n" * 251 + ".csv", "\u00e9" * 125 + ".csv"])
def test_a_name_of_the_greatest_length_can_be_written(tmp_path, name):
    with atomic_write(tmp_path / name) as file:
        file.write("x")
    assert (tmp_path / name).read_text() == "x"


def test_errors_name_the_file_that_was_asked_for(own_photos, tmp_path):
    with pytest.raises(OSError) as caught:
        write_text(Path("/dev/full"), "x" * 100_000)
    assert caught.value.filename == "/dev/full"
    with pytest.raises(OSError) as caught:
        write_text(Path("/proc/x.txt"), "x")
    assert caught.value.filename == "/proc/x.txt"


def test_a_config_is_not_a_source_and_a_folder_is_not_a_config(own_photos):
    done = run("init", "a.yaml")
    assert done.exit_code == 2
    assert "a.yaml is a config" in done.stderr
    done = run("data", "preview", "photos")
    assert done.exit_code == 2
    assert "`cnnkit init photos`" in done.stderr
