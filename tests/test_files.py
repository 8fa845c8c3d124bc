"""What a data command may write over, what it never does, and what errors call the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from images import write_classes, write_image
from PIL import Image

from cnnkit.cli import main
from cnnkit.errors import UsageError
from cnnkit.files import CONFIG, LIST, PICTURE, check_output, write_text


def run(*words):
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Return a folder of photos, in the current folder, with a config beside it."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "photos", {"cat": 6, "owl": 6})
    (tmp_path / "a.yaml").write_text(
        "data: {source: photos, image_size: 16}\nmodel: {layers: [flatten]}\n"
    )
    return tmp_path / "photos"


def _contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    "words",
    [
        ["data", "stats", "photos", "--plot", "photos/cat/00.png"],
        ["data", "stats", "photos", "--plot", "a.yaml"],
        ["data", "check", "photos", "--contact-sheet", "photos/cat/00.png"],
        ["data", "check", "photos", "--list", "photos/cat/00.png"],
        ["data", "check", "a.yaml", "--list", "a.yaml"],
        ["data", "preview", "a.yaml", "-o", "photos/cat/00.png"],
        ["data", "preview", "a.yaml", "-o", "a.yaml"],
        ["init", "photos", "-o", "photos/cat/00.png"],
    ],
    ids=lambda words: " ".join(words[-4:]),
)
def test_no_photo_and_no_config_is_ever_replaced_by_something_else(photos, words, overwrite):
    before = _contents(photos.parent)
    done = run(*words, *overwrite)
    assert done.exit_code == 2, done.output
    assert f"{words[-1]}" in done.stderr
    assert _contents(photos.parent) == before


@pytest.mark.parametrize("output", ["photos/cat/00.png", "a.yaml", "source.csv"])
def test_split_replaces_neither_a_photo_nor_its_source(photos, output):
    lines = ["path,label,split,sha256"]
    for path in sorted(photos.rglob("*.png")):
        lines.append(f"{path.relative_to(photos.parent)},{path.parent.name},train,{'0' * 64}")
    (photos.parent / "source.csv").write_text("\n".join(lines))
    before = _contents(photos.parent)
    done = run("data", "split", "source.csv", "-o", output)
    assert done.exit_code == 2
    assert output in done.stderr
    assert _contents(photos.parent) == before


@pytest.mark.parametrize(
    "words",
    [
        ["data", "stats", "photos", "--plot", "plot.png"],
        ["data", "check", "photos", "--contact-sheet", "sheet.png"],
        ["data", "check", "photos", "--list", "list.txt"],
        ["data", "preview", "a.yaml", "-o", "preview.png"],
        ["init", "photos", "-o", "b.yaml"],
    ],
    ids=lambda words: words[-1],
)
def test_its_own_file_is_replaced_where_the_user_says_so(photos, words):
    write_image(photos / "owl" / "copy.png", seed=3, width=80, height=60)
    Image.open(photos / "owl" / "copy.png").save(photos / "cat" / "copy.jpg", quality=95)
    file = photos.parent / words[-1]
    assert run(*words).exit_code == 0
    first = file.read_bytes()
    again = run(*words)
    assert again.exit_code == 2
    assert f"{words[-1]} exists. Give another {words[-2]}".replace(" -o", " --output") in (
        again.stderr
    )
    assert "or --overwrite." in again.stderr
    assert file.read_bytes() == first
    done = run(*words, "--overwrite")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("name", "endings"), [("a.jpg", PICTURE), ("a.pdf", PICTURE), ("a.py", LIST), ("a", CONFIG)]
)
def test_another_ending_is_refused_before_anything_is_read(tmp_path, name, endings):
    with pytest.raises(UsageError, match=r"--out .*: the name must end in \."):
        check_output(tmp_path / name, "--out", endings, overwrite=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_to_whatever_its_name(tmp_path):
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
def test_errors_name_the_file_that_is_wanted(photos, tmp_path):
    with pytest.raises(OSError) as caught:
        write_text(Path("/dev/full"), "x" * 100_000)
    assert caught.value.filename == "/dev/full"
    with pytest.raises(OSError) as caught:
        write_text(Path("/proc/x.txt"), "x")
    assert caught.value.filename == "/proc/x.txt"


def test_a_config_is_no_source_and_a_folder_no_config(photos):
    done = run("init", "a.yaml")
    assert done.exit_code == 2
    assert "a.yaml is a config" in done.stderr
    done = run("data", "preview", "photos")
    assert done.exit_code == 2
    assert "`cnnkit init photos`" in done.stderr
